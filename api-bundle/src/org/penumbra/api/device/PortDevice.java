package org.penumbra.api.device;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * A device on I/O ports, one object per machine. Called by vCPU threads, one at a time per device: it needs no lock of
 * its own.
 */
@ConsumerType
public interface PortDevice {
    /** What a device can do to its machine. */
    interface Host {
        /** Powers the machine off with {@code exitCode}: the guest runs no further operation. The first call counts. */
        void powerOff(int exitCode);

        /** Puts a byte out on the console of the machine. */
        default void console(int octet) {}
    }

    /** The first port of the device. */
    int basePort();

    /** How many consecutive ports it has. */
    int ports();

    /** A write of {@code width} (1, 2, 4) bytes to port {@code basePort() + offset}. */
    void out(int offset, int width, long value, Host host);

    /** A read of {@code width} (1, 2, 4) bytes from port {@code basePort() + offset}; a device without input answers all ones. */
    default long in(int offset, int width) {
        return -1L >>> 64 - 8 * width;
    }
}
