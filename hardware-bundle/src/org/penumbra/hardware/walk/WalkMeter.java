package org.penumbra.hardware.walk;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.hardware.cache.DataCaches;
import org.penumbra.hardware.cache.LineSequence;

/**
 * What the walkers of one processor do to memory, for whoever pays for it or wants to see it: walkers note each reference here, and
 * the translation they work for is charged once, at its end. One thread.
 */
public final class WalkMeter {
    /** By the answer of {@link #readAt}. */
    private static final Work[] SERVED = {null, Work.WALK_L1, Work.WALK_L2, Work.WALK_LLC, Work.WALK_MEMORY};

    private final CycleClock clock;
    /** Null if data caches are not modelled. */
    private final DataCaches caches;
    /** References while data caches are not modelled. */
    private long unserved;
    /** By the data cache that served them. */
    private final long[] served = new long[SERVED.length];

    private boolean each;
    /** Told of each step; null if nobody is. Set by {@link #listen}. */
    public WalkListener listener;

    /** @param caches null if data caches are not modelled */
    public WalkMeter(CycleClock clock, DataCaches caches) {
        this.clock = clock;
        this.caches = caches;
        this.each = caches != null;
    }

    /** Has {@code told} told of each step; null for nobody. */
    public void listen(WalkListener told) {
        listener = told;
        each = caches != null || told != null;
    }

    /** True if each reference has to be told by {@link #readAt}, and not only how many there were. */
    boolean seesEach() {
        return each;
    }

    /** {@code entries} entries were read. */
    void read(int entries) {
        unserved += entries;
    }

    /** An entry at {@code hpa} was read. Answers which level of the data caches served it, 0 if they are not modelled. */
    int readAt(long hpa) {
        if (caches == null) {
            unserved++;
            return 0;
        }
        int level = caches.reference(hpa);
        served[level]++;
        return level;
    }

    /** Appends the entry at {@code hpa} to those that {@link #read(LineSequence)} will tell of. */
    void append(LineSequence entries, long hpa) {
        if (caches != null) {
            caches.append(entries, hpa);
        }
    }

    /** These entries were read, while data caches are modelled. */
    void read(LineSequence entries) {
        caches.reference(entries, served);
    }

    /** An entry was written, by a locked access. */
    void wrote() {
        clock.charge(Work.WALK_UPDATE);
    }

    /** Charges what was noted since the last call. */
    public void settle() {
        if (unserved != 0) {
            clock.charge(Work.WALK_REFERENCE, unserved);
            unserved = 0;
        }
        for (int level = 1; caches != null && level < SERVED.length; level++) {
            if (served[level] != 0) {
                clock.charge(SERVED[level], served[level]);
                served[level] = 0;
            }
        }
    }
}
