package org.penumbra.api.clock;

/**
 * Simulated cycles of one vCPU, split by what they were spent on.
 *
 * <p>Everything that takes simulated time is charged here with a figure of the {@link CostProfile}. Never compared with or
 * derived from wall time. Written by the thread that runs the vCPU only.
 */
public final class CycleClock {
    private final long[] cost;
    private final long[] events = new long[Work.COUNT];
    private long total;

    /** A clock at zero that charges by {@code profile}. */
    public CycleClock(CostProfile profile) {
        cost = new long[Work.COUNT];
        for (Work w : Work.values()) {
            cost[w.ordinal()] = profile.figure(w.key());
        }
    }

    /** Cycles spent since the vCPU was created. */
    public long total() {
        return total;
    }

    /** How often {@code work} was charged. */
    public long events(Work work) {
        return events[work.ordinal()];
    }

    /** Cycles spent on {@code work}. */
    public long cycles(Work work) {
        return events[work.ordinal()] * cost[work.ordinal()];
    }

    /** Adds everything that {@code other}, of the same prices, has counted. */
    public void add(CycleClock other) {
        for (int i = 0; i < events.length; i++) {
            events[i] += other.events[i];
        }
        total += other.total;
    }

    /** Charges one unit of {@code work}. */
    public void charge(Work work) {
        charge(work, 1);
    }

    /** Charges {@code units} of {@code work}; {@code units} is not negative. */
    public void charge(Work work, long units) {
        int i = work.ordinal();
        events[i] += units;
        total += units * cost[i];
    }
}
