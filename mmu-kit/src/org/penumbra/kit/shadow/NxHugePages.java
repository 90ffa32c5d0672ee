package org.penumbra.kit.shadow;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.kit.ShadowPage;

/**
 * The mitigation of iTLB multihit (Linux: {@code Documentation/admin-guide/hw-vuln/multihit.rst}): nothing is executed from a 2 MiB spte,
 * so a fetch has its page split, and after a while of that the pieces are given up, since the guest may not execute there any more.
 * KVM does that in a thread, once a minute; here the first fault after the period does. Under the MMU's lock, held alone.
 */
final class NxHugePages {
    /** Of how many splits one is given up each period, the oldest first. KVM: nx_huge_pages_recovery_ratio. */
    private static final int RECOVERY_RATIO = 60;

    private final boolean on;
    private final long period;
    private final ShadowCounters counters;
    /** Pages in the place of a large one, the oldest first. KVM: possible_nx_huge_pages. */
    private final Set<ShadowPage> splits = new LinkedHashSet<>();
    private volatile long due;

    /** @param period simulated cycles of a vCPU; 0 for no recovery */
    NxHugePages(boolean on, long period, ShadowCounters counters) {
        this.on = on;
        this.period = period;
        this.counters = counters;
    }

    /** True if nothing may be executed from a large page. */
    boolean on() {
        return on;
    }

    /** {@code page} stands in the place of a large page that was executed. KVM: account_nx_huge_page. */
    void account(ShadowPage page) {
        if (splits.add(page)) {
            page.nxHugePageDisallowed = true;
            counters.nxLpageSplits.increment();
        }
    }

    /** {@code page} does so no longer. KVM: unaccount_nx_huge_page. */
    void unaccount(ShadowPage page) {
        if (splits.remove(page)) {
            page.nxHugePageDisallowed = false;
            counters.nxLpageSplits.add(-1);
        }
    }

    /** True if the period is over by {@code clock}. Any thread, without the lock. */
    boolean due(CycleClock clock) {
        return on && period > 0 && clock.total() >= due;
    }

    /** The splits to be given up now; none until it is time. KVM: kvm_recover_nx_huge_pages. */
    List<ShadowPage> toRecover(CycleClock clock) {
        if (!due(clock)) {
            return List.of();
        }
        boolean first = due == 0;
        due = clock.total() + period;
        int count = first ? 0 : (splits.size() + RECOVERY_RATIO - 1) / RECOVERY_RATIO;
        return new ArrayList<>(splits).subList(0, count);
    }

    /** How many there are: for audits. */
    int size() {
        return splits.size();
    }
}
