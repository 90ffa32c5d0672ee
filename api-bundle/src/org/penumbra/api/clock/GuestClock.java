package org.penumbra.api.clock;

/**
 * Guest time of one vCPU, in retired operations.
 *
 * <p>A guest executes identically under every MMU because time as the guest sees it advances by what it retires and by
 * nothing else. Written by the vCPU's own thread only.
 */
public final class GuestClock {
    private long retired;

    /** Operations retired since the vCPU was created. */
    public long retired() {
        return retired;
    }

    /** Advances by {@code operations} (not negative). */
    public void retire(long operations) {
        retired += operations;
    }
}
