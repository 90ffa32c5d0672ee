package org.penumbra.hardware.walk;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.WalkListener;

/**
 * What the walkers of one processor do to memory, for whoever pays for it or wants to see it: walkers note each reference here, and
 * the translation they work for is charged once, at its end. One thread.
 */
public final class WalkMeter {
    private final CycleClock clock;
    private long references;

    /** Told of each step; null if nobody is. */
    public WalkListener listener;

    public WalkMeter(CycleClock clock) {
        this.clock = clock;
    }

    /** An entry at {@code hpa} was read. Answers which level of the data caches served it, 0 if they are not modelled. */
    int read(long hpa) {
        references++;
        return 0;
    }

    /** An entry was written, by a locked access. */
    void wrote() {
        clock.charge(Work.WALK_UPDATE);
    }

    /** Charges what was noted since the last call. */
    public void settle() {
        clock.charge(Work.WALK_REFERENCE, references);
        references = 0;
    }
}
