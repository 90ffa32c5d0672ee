package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;

/**
 * The frames one MMU owns, and its only way to physical memory. Revoking the lease (the machine does so, after the MMU was
 * closed or because it misbehaved) frees every frame and fences late accesses. Any thread.
 */
@ProviderType
public interface FrameLease {
    /**
     * A cleared frame; its cost is charged to {@code clock}.
     *
     * @return its hpa, 4 KiB aligned
     * @throws LeaseException if the lease is revoked or host memory is exhausted
     */
    long allocate(CycleClock clock);

    /**
     * 512 cleared frames one after the other, the first 2 MiB aligned; their cost is charged to {@code clock}. Each is a frame of the
     * lease like any other.
     *
     * @return the hpa of the first
     * @throws LeaseException if the lease is revoked, or the host has no 2 MiB in one piece
     */
    long allocateBlock(CycleClock clock);

    /**
     * Gives {@code hpa} back. Its contents are gone.
     *
     * @throws LeaseException if the frame does not belong to this lease
     */
    void free(long hpa);

    /** Frames held now. */
    long frames();

    /**
     * A handle to the lease's frames that charges {@code clock}; made once per vCPU, since making it allocates. Each access
     * outside the lease's frames, and each access after revocation, throws {@link LeaseException}.
     */
    FrameAccess access(CycleClock clock);
}
