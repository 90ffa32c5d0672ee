/**
 * Machines: configuration, boot, run, results.
 *
 * <p><b>If you write a guest:</b> implement {@link org.penumbra.api.machine.GuestBoot}. <b>If you run experiments:</b> get a
 * {@link org.penumbra.api.machine.MachineFactory} by its kind, run, read, close.
 */
@Version("0.2.0")
package org.penumbra.api.machine;

import org.osgi.annotation.versioning.Version;
