/**
 * The contract of an MMU design.
 *
 * <p><b>If you write an MMU:</b> publish an {@link org.penumbra.api.mmu.MmuFactory}. An {@link org.penumbra.api.mmu.Mmu} owns
 * the structures of one virtual machine, an {@link org.penumbra.api.mmu.MmuContext} serves one vCPU. You build entries in frames
 * of your lease, in the format of the manuals, and the hardware walks them; you answer faults with a
 * {@link org.penumbra.api.mmu.Resolution}; what you do through your handles is charged. Leave no thread, listener or reference
 * behind when you are closed. <b>If you write a hypervisor:</b> you provide {@link org.penumbra.api.mmu.MmuHost} and
 * {@link org.penumbra.api.mmu.MmuContextHost}, program the controls that {@link org.penumbra.api.mmu.ControlDemand} asks for,
 * and never keep a context over a swap.
 */
@Version("0.1.0")
package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.Version;
