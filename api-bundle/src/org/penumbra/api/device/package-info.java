/**
 * Devices.
 *
 * <p><b>If you write a device:</b> publish a {@link org.penumbra.api.device.PortDeviceFactory}, or a
 * {@link org.penumbra.api.device.BoardDeviceFactory} if it raises interrupts, has timers or lies in memory. <b>If you build machines:</b>
 * give each its own {@link org.penumbra.api.device.IoPorts}, and ask {@code signal} of every guest write before you handle it: a
 * write to an ioeventfd is done with that. <b>If you write the other half of a device in user space:</b> wait for the event.
 */
@Version("0.2.0")
package org.penumbra.api.device;

import org.osgi.annotation.versioning.Version;
