package org.penumbra.kit.shadow;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** The handles through which one vCPU's share of the MMU's work is done, all charged to its clock. */
final class Worker {
    final CycleClock clock;
    final FrameAccess sptes;
    final GuestMemory guest;
    final Tracing.Tracer trace;

    Worker(MmuHost host, CycleClock clock) {
        this.clock = clock;
        this.sptes = host.lease().access(clock);
        this.guest = host.guestMemory(clock);
        this.trace = host.tracer(clock);
    }

    /** Tells of {@code point}, whose fields are those of a shadow page. */
    void tell(TracePoint point, ShadowPage page, boolean created) {
        if (trace.on(point)) {
            trace.tell(point, page.gfn, page.role, page.rootCount, created ? 1 : 0);
        }
    }

    /** The guest's entry that spte {@code index} of the indirect {@code page} is made from. */
    long gpte(ShadowPage page, int index) {
        return guest.load(page.gpteGpa(index), Role.format(page.role).entryBytes());
    }
}
