package org.penumbra.api.device;

import org.osgi.annotation.versioning.ProviderType;

/** Makes port spaces that hold one of each device whose factory is registered at the time. A service. */
@ProviderType
@FunctionalInterface
public interface IoPortsFactory {
    /** A port space with all devices of {@link PortDeviceFactory} in their reset state. */
    IoPorts create();

    /** The same with the devices that are wired to {@code board}. */
    default IoPorts create(Board board) {
        return create();
    }
}
