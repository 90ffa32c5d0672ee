package org.penumbra.shadow;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

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

    /** The guest's entry that spte {@code index} of the indirect {@code page} is made from. */
    long gpte(ShadowPage page, int index) {
        return guest.load(page.gpteGpa(index), Role.format(page.role).entryBytes());
    }
}
