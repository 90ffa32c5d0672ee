package org.penumbra.testkit.tlb;

import static org.penumbra.api.paging.ControlBits.*;

import org.penumbra.api.paging.PagingState;

/** What decides, beside the tables, which translations one vCPU may use: its registers, and what it had to drop when. */
final class AbstractProcessor {
    final InvalidationTimes times = new InvalidationTimes();
    final RootHistory roots = new RootHistory();
    PagingState state = new PagingState(0, 0, 0, 0, 0, 0);

    /** True if leaves with G = 1 are global. */
    boolean globals() {
        return state.has4(CR4_PGE);
    }

    /** INVLPG of {@code gva} retired. */
    void invalidatedPage(long gva, long time) {
        times.dropPage(state.pcid(), gva, time);
        times.dropGlobalPage(gva, time);
        times.dropCaches(state.pcid(), time);
    }

    /** A page fault for {@code gva} was delivered. */
    void pageFault(long gva, long time) {
        times.dropPage(state.pcid(), gva, time);
        if (!state.has4(CR4_PCIDE)) {
            times.dropGlobalPage(gva, time);
        }
    }

    /**
     * The registers are {@code next} now. Which one was written follows from what differs; CR3, if nothing does.
     */
    void loaded(PagingState next, boolean keepPcid, long time) {
        PagingState old = state;
        state = next;
        roots.leave(time);
        boolean movToCr3 = old.cr3() != next.cr3() || old.cr0() == next.cr0() && old.cr4() == next.cr4();
        boolean everything = changed(old.cr0(), next.cr0(), CR0_PG)
                || changed(old.cr4(), next.cr4(), CR4_PGE)
                || old.has4(CR4_PCIDE) && !next.has4(CR4_PCIDE);
        boolean wholePcid = changed(old.cr4(), next.cr4(), CR4_PAE) || !old.has4(CR4_SMEP) && next.has4(CR4_SMEP);
        if (everything || wholePcid && !next.has4(CR4_PCIDE)) {
            times.dropAll(time);
        } else if (wholePcid) {
            times.dropAddressSpace(old.pcid(), time);
        } else if (movToCr3 && !(keepPcid && next.has4(CR4_PCIDE))) {
            times.dropAddressSpace(next.pcid(), time);
        }
        if (next.has0(CR0_PG)) {
            roots.enter(next.pcid(), next.root(), time);
        }
        roots.forget(times, globals());
    }

    /** No translation that is not global and may still be cached is older; the end of time if there is none. */
    long oldest() {
        long oldest = Long.MAX_VALUE;
        for (int n = 0; n < roots.size(); n++) {
            oldest = Math.min(oldest, times.sinceAddressSpace(roots.pcid(n)));
        }
        return oldest;
    }

    private static boolean changed(long a, long b, long bit) {
        return ((a ^ b) & bit) != 0;
    }
}
