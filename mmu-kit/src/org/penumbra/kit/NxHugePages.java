package org.penumbra.kit;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.penumbra.api.clock.CycleClock;

/**
 * The mitigation of iTLB multihit (Linux: {@code Documentation/admin-guide/hw-vuln/multihit.rst}): nothing is executed from a 2 MiB leaf,
 * so a fetch has its page split, and after a while of that the pieces are given up, since the guest may not execute there any more.
 * KVM does that in a thread, once a minute; here the first fault after the period does. Any thread.
 *
 * @param <T> what stands for a split
 */
public final class NxHugePages<T> {
    /** Of how many splits one is given up each period, the oldest first. KVM: nx_huge_pages_recovery_ratio. */
    private static final int RECOVERY_RATIO = 60;

    private final boolean on;
    private final long period;
    private final Gauge count;
    /** The oldest first. KVM: possible_nx_huge_pages. */
    private final Set<T> splits = new LinkedHashSet<>();
    private volatile long due;

    /**
     * @param period simulated cycles of a vCPU; 0 for no recovery
     * @param count of the splits there are. KVM: nx_lpage_splits
     */
    public NxHugePages(boolean on, long period, Gauge count) {
        this.on = on;
        this.period = period;
        this.count = count;
    }

    /** True if nothing may be executed from a large page. */
    public boolean on() {
        return on;
    }

    /** A large page was split to be executed; false if {@code split} is one already. KVM: account_nx_huge_page. */
    public synchronized boolean add(T split) {
        boolean added = splits.add(split);
        count.add(added ? 1 : 0);
        return added;
    }

    /** {@code split} is none any more; false if it was none. KVM: unaccount_nx_huge_page. */
    public synchronized boolean remove(T split) {
        boolean removed = splits.remove(split);
        count.add(removed ? -1 : 0);
        return removed;
    }

    /** True if {@code split} is one. */
    public synchronized boolean contains(T split) {
        return splits.contains(split);
    }

    /** True if the period is over by {@code clock}. */
    public boolean due(CycleClock clock) {
        return on && period > 0 && clock.total() >= due;
    }

    /** The splits that are to be removed now; none until it is time. KVM: kvm_recover_nx_huge_pages. */
    public synchronized List<T> toRecover(CycleClock clock) {
        if (!due(clock)) {
            return List.of();
        }
        boolean first = due == 0;
        due = clock.total() + period;
        int oldest = first ? 0 : (splits.size() + RECOVERY_RATIO - 1) / RECOVERY_RATIO;
        return new ArrayList<>(splits).subList(0, oldest);
    }

    /** How many there are: for audits. */
    public synchronized int size() {
        return splits.size();
    }
}
