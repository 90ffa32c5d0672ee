package org.penumbra.api.device;

import org.osgi.annotation.versioning.ConsumerType;

/** A device whose registers lie at guest-physical addresses where no memory is, one object per machine. Called by vCPU threads; guards itself. */
@ConsumerType
public interface MemoryDevice {
    /** Guest-physical address of its first byte. */
    long base();

    /** How many bytes it has. */
    long bytes();

    /** Reads {@code width} (1 to 8) bytes at {@code base() + offset}. */
    long load(long offset, int width);

    /** Writes {@code width} (1 to 8) bytes at {@code base() + offset}. */
    void store(long offset, int width, long value);
}
