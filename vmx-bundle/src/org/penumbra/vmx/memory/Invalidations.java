package org.penumbra.vmx.memory;

/**
 * The notifier's sequence: tells a fault whether a host event raced with it. KVM: {@code mmu_invalidate_seq},
 * {@code mmu_invalidate_in_progress} and its range. Events come one at a time; faults ask from any thread.
 */
final class Invalidations {
    private volatile long sequence;
    private volatile boolean active;
    private volatile long first;
    private volatile long end;

    /**
     * An event for the frames from {@code firstGfn} up to, not including, {@code endGfn} begins. One that begins within another (its
     * notifier's write to guest memory unshares a page) widens the range of both.
     */
    void begin(long firstGfn, long endGfn) {
        first = active ? Math.min(first, firstGfn) : firstGfn;
        end = active ? Math.max(end, endGfn) : endGfn;
        active = true;
    }

    /** The event is over; the number rises before the range is given up, so that no moment lies between. */
    void end() {
        sequence = sequence + 1;
        active = false;
    }

    long sequence() {
        return sequence;
    }

    /** True if an event is going on now. */
    boolean active() {
        return active;
    }

    boolean retry(long since, long gfn) {
        return active && gfn >= first && gfn < end || sequence != since;
    }
}
