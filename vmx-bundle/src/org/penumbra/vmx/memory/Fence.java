package org.penumbra.vmx.memory;

import org.penumbra.api.memory.LeaseException;

/** Shuts the handles of one MMU: from its end on each use of one is refused. */
public final class Fence {
    private volatile boolean shut;

    void shut() {
        shut = true;
    }

    /** @throws LeaseException once the fence is shut */
    public void check() {
        if (shut) {
            throw new LeaseException("a handle was used after the lease of its MMU was revoked");
        }
    }
}
