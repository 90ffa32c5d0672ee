package org.penumbra.api.device;

import org.osgi.annotation.versioning.ConsumerType;

/** Makes one kind of port device: a whiteboard service; every machine gets one of each. */
@ConsumerType
@FunctionalInterface
public interface PortDeviceFactory {
    /** A device in its reset state. */
    PortDevice create();
}
