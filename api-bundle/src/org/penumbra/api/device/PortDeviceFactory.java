package org.penumbra.api.device;

import org.osgi.annotation.versioning.ConsumerType;

/** Makes one kind of port device: a whiteboard service; every machine gets one of each. */
@ConsumerType
@FunctionalInterface
public interface PortDeviceFactory {
    /** A device in its reset state, in a machine without interrupt controllers. */
    PortDevice create();

    /** The same in a machine that has them, for a device that raises a line or has timers where it can. */
    default PortDevice create(Board board) {
        return create();
    }
}
