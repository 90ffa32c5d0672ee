package org.penumbra.shadow;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuHost;

/** The handles through which one vCPU's share of the MMU's work is done, all charged to its clock. */
final class Worker {
    final CycleClock clock;
    final FrameAccess sptes;
    final GuestMemory guest;

    Worker(MmuHost host, CycleClock clock) {
        this.clock = clock;
        this.sptes = host.lease().access(clock);
        this.guest = host.guestMemory(clock);
    }
}
