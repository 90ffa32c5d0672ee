/**
 * The processor as an execution engine sees it, and the engine contract.
 *
 * <p><b>If you write an engine:</b> implement {@link org.penumbra.api.cpu.ExecutionEngine}; reach memory through a
 * {@link org.penumbra.api.cpu.MemoryPort} and everything privileged through {@link org.penumbra.api.cpu.Processor}; when an
 * operation exits, expose it and be ready to complete it against hooks. <b>If you write a hypervisor:</b> drive the engine, and
 * emulate through {@link org.penumbra.api.cpu.ExecutionEngine#complete}. The TLB and register classes are final data layout: an
 * access that hits crosses no interface.
 */
@Version("0.3.0")
package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.Version;
