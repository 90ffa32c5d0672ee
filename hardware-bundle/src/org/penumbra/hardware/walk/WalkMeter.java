package org.penumbra.hardware.walk;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.hardware.cache.DataCaches;

/**
 * What the walkers of one processor do to memory, for whoever pays for it or wants to see it: walkers note each reference here, and
 * the translation they work for is charged once, at its end. One thread.
 */
public final class WalkMeter {
    /** By the answer of {@link #readAt}. */
    private static final Work[] SERVED = {Work.WALK_REFERENCE, Work.WALK_L1, Work.WALK_L2, Work.WALK_LLC, Work.WALK_MEMORY};

    private final CycleClock clock;
    /** Null if data caches are not modelled. */
    private final DataCaches caches;
    private final long[] references = new long[SERVED.length];

    /** Told of each step; null if nobody is. */
    public WalkListener listener;

    /** @param caches null if data caches are not modelled */
    public WalkMeter(CycleClock clock, DataCaches caches) {
        this.clock = clock;
        this.caches = caches;
    }

    /** True if each reference has to be told by {@link #readAt}, and not only how many there were. */
    boolean seesEach() {
        return caches != null || listener != null;
    }

    /** {@code entries} entries were read. */
    void read(int entries) {
        references[0] += entries;
    }

    /** An entry at {@code hpa} was read. Answers which level of the data caches served it, 0 if they are not modelled. */
    int readAt(long hpa) {
        int level = caches == null ? 0 : caches.reference(hpa);
        references[level]++;
        return level;
    }

    /** An entry was written, by a locked access. */
    void wrote() {
        clock.charge(Work.WALK_UPDATE);
    }

    /** Charges what was noted since the last call. */
    public void settle() {
        for (int level = 0; level < SERVED.length; level++) {
            if (references[level] != 0) {
                clock.charge(SERVED[level], references[level]);
                references[level] = 0;
            }
        }
    }
}
