package org.penumbra.api.device;

import org.osgi.annotation.versioning.ProviderType;

/** The I/O port space of one machine. */
@ProviderType
public interface IoPorts {
    /** Writes {@code width} (1, 2, 4) bytes to {@code port}; a port nobody has swallows them. */
    void out(int port, int width, long value);

    /** True once a device has powered the machine off. */
    boolean poweredOff();

    /** The code the machine was powered off with; 0 before. */
    int exitCode();
}
