package org.penumbra.experiments.run;

import java.util.BitSet;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.experiments.run.SwapFigures.Dirty;

/** Harvests the dirty log of a machine, and compares each harvest with the writes that the checker has seen, if there is one. */
final class DirtyComparison {
    private final DirtyLogControl log;
    private final TranslationChecker checker;
    private final BitSet known = new BitSet();
    private long harvests;
    private long frames;
    private long recorded;
    private long missed;
    private long extra;

    /** Switches the log on. */
    DirtyComparison(Machine machine) {
        log = machine.dirtyLog();
        checker = machine.checker();
        log.start();
        written();
    }

    /** While no vCPU runs. */
    void harvest() {
        BitSet told = new BitSet();
        log.harvest(gfn -> told.set((int) gfn));
        known.or(told);
        harvests++;
        frames += told.cardinality();
        if (checker != null) {
            BitSet written = written();
            recorded += written.cardinality();
            BitSet lost = (BitSet) written.clone();
            lost.andNot(told);
            missed += lost.cardinality();
            told.andNot(written);
            extra += told.cardinality();
        }
    }

    private BitSet written() {
        BitSet written = new BitSet();
        if (checker != null) {
            checker.takeWritten(gfn -> written.set((int) gfn));
        }
        return written;
    }

    /** Harvests what is left, and switches the log off. */
    Dirty end() {
        harvest();
        log.stop();
        return new Dirty(harvests, frames, recorded, missed, extra);
    }

    /** Every gfn that a harvest has told. */
    BitSet known() {
        return known;
    }
}
