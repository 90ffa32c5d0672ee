/**
 * Devices.
 *
 * <p><b>If you write a device:</b> publish a {@link org.penumbra.api.device.PortDeviceFactory}. <b>If you build machines:</b>
 * give each its own {@link org.penumbra.api.device.IoPorts}.
 */
@Version("0.1.0")
package org.penumbra.api.device;

import org.osgi.annotation.versioning.Version;
