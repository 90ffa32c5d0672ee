package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;

/** Charged access to the frames of a lease. All addresses are hpa, 8-byte aligned. Used by the thread that runs the vCPU. */
@ProviderType
public interface FrameAccess {
    /** Reads 8 bytes. */
    long load(long hpa);

    /** Writes 8 bytes. */
    void store(long hpa, long value);

    /** Locked compare-and-set of 8 bytes; true if they held {@code expected}. */
    boolean compareAndSet(long hpa, long expected, long value);
}
