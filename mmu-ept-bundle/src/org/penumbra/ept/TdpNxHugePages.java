package org.penumbra.ept;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.observe.Counters.Counter;

/**
 * The mitigation of iTLB multihit (Linux: {@code Documentation/admin-guide/hw-vuln/multihit.rst}): nothing is executed from a 2 MiB leaf, so
 * a fetch has it split, and after a while of that the pieces are given up, since the guest may not execute there any more. KVM does that
 * in a thread, once a minute; here the first fault after the period does. Any thread.
 */
final class TdpNxHugePages {
    /** Of how many splits one is given up each period, the oldest first. KVM: nx_huge_pages_recovery_ratio. */
    private static final int RECOVERY_RATIO = 60;

    private final boolean on;
    private final long period;
    private final Counter count;
    /** The first gfn of each 2 MiB that are not to be large because of a fetch, the oldest first. KVM: possible_nx_huge_pages. */
    private final Set<Long> splits = new LinkedHashSet<>();
    private volatile long due;

    /** @param period simulated cycles of a vCPU; 0 for no recovery */
    TdpNxHugePages(boolean on, long period, Counter count) {
        this.on = on;
        this.period = period;
        this.count = count;
    }

    /** True if nothing may be executed from a large leaf. */
    boolean on() {
        return on;
    }

    /** True if something was executed in the 2 MiB around {@code gfn}. */
    boolean disallows(long gfn) {
        if (!on) {
            return false;
        }
        synchronized (splits) {
            return splits.contains(gfn & -512L);
        }
    }

    /** Something is executed in the 2 MiB around {@code gfn}, which might be large. */
    void executed(long gfn) {
        synchronized (splits) {
            if (splits.add(gfn & -512L)) {
                count.increment();
            }
        }
    }

    /** The splits to be given up by {@code clock}; none until it is time. They are no splits any more. KVM: kvm_recover_nx_huge_pages. */
    List<Long> toRecover(CycleClock clock) {
        if (!on || period == 0 || clock.total() < due) {
            return List.of();
        }
        synchronized (splits) {
            boolean first = due == 0;
            due = clock.total() + period;
            List<Long> oldest = new ArrayList<>(splits).subList(0, first ? 0 : (splits.size() + RECOVERY_RATIO - 1) / RECOVERY_RATIO);
            oldest.forEach(splits::remove);
            count.add(-oldest.size());
            return oldest;
        }
    }
}
