package org.penumbra.api.device;

import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Makes one kind of device that is wired to interrupts and time: a whiteboard service; every machine with interrupt controllers, which is one
 * with a hypervisor, gets one of each.
 */
@ConsumerType
@FunctionalInterface
public interface BoardDeviceFactory {
    /**
     * Where the guest reaches a device.
     *
     * @param ports its ranges of ports, one object each
     * @param memory its ranges of guest-physical addresses
     */
    record Device(List<PortDevice> ports, List<MemoryDevice> memory) {
        public Device {
            ports = List.copyOf(ports);
            memory = List.copyOf(memory);
        }

        /** A device on ports alone. */
        public static Device onPorts(PortDevice... ranges) {
            return new Device(List.of(ranges), List.of());
        }
    }

    /** A device in its reset state on {@code board}, which is complete but for its vCPUs. */
    Device create(Board board);
}
