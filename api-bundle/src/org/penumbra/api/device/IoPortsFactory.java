package org.penumbra.api.device;

import org.osgi.annotation.versioning.ProviderType;

/** Makes port spaces that hold one of each device whose {@link PortDeviceFactory} is registered at the time. A service. */
@ProviderType
@FunctionalInterface
public interface IoPortsFactory {
    /** A port space with all devices in their reset state. */
    IoPorts create();
}
