package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ProviderType;

/**
 * Memory as an emulated operation reaches it: the hypervisor's own walk and its own stores instead of the processor's. A hook
 * that cannot proceed (the walk faults) refuses, and the engine then leaves the operation without effect.
 */
@ProviderType
public interface MemoryHooks {
    /**
     * Makes {@code width} (1 to 4096) bytes at {@code gva} reachable for an operation READ, WRITE (reading too) or FETCH of
     * {@link org.penumbra.api.paging.Access}; false if refused.
     */
    boolean prepare(long gva, int width, int operation);

    /**
     * A task switch has come to its new address space: CR0.TS is set and CR3 is {@code cr3}, or as it was without paging (SDM vol. 3, "Task
     * Switching"). What is prepared afterwards lies there. False if refused, since CR3 must not have that value.
     */
    default boolean switchTask(long cr3) {
        throw new UnsupportedOperationException("no task switches here");
    }

    /** Reads {@code width} (1 to 8) bytes that were prepared. */
    long load(long gva, int width);

    /** Writes {@code width} (1 to 4096) bytes that were prepared; a value is repeated every 8 bytes. */
    void store(long gva, int width, long value);

    /**
     * Replaces {@code width} (1 to 8) bytes that were prepared for writing, if they still hold {@code expected}; atomic if they lie
     * within 8 aligned bytes, as a locked instruction's access is.
     */
    boolean compareAndSet(long gva, int width, long expected, long value);
}
