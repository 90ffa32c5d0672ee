package org.penumbra.experiments.run;

import java.util.BitSet;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.penumbra.api.machine.HostPages;
import org.penumbra.experiments.run.SwapFigures.HostEvents;

/** A host that works on a guest's pages: random swap-outs, migrations, merges, collapses, splits and ageing, the same for equal seeds. */
final class HostDisturbance {
    /** At each stop. Few pairs of frames have equal contents, so that many are tried. */
    private static final int SWAP_OUTS = 8;
    private static final int MIGRATIONS = 8;
    private static final int MERGES = 128;
    private static final int COLLAPSES = 2;
    private static final int SPLITS = 2;
    private static final int AGEINGS = 16;

    private final HostPages pages;
    private final UniformRandomProvider random;
    private long swappedOut;
    private long migrated;
    private long merged;
    private long collapsed;
    private long split;
    private long young;
    /** How far apart the last two frames were that could be merged: kernels of one guest lay out alike what they have alike. */
    private int distance;

    HostDisturbance(HostPages pages, long seed) {
        this.pages = pages;
        this.random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
    }

    /** Does something to some of the frames {@code known}, which the guest is known to use. */
    void disturb(BitSet known) {
        if (known.isEmpty()) {
            return;
        }
        int[] frames = known.stream().toArray();
        for (int i = 0; i < SWAP_OUTS; i++) {
            swappedOut += pages.swapOut(any(frames)) ? 1 : 0;
        }
        for (int i = 0; i < MIGRATIONS; i++) {
            migrated += pages.migrate(any(frames)) ? 1 : 0;
        }
        for (int i = 0; i < COLLAPSES; i++) {
            collapsed += pages.collapse(any(frames)) ? 1 : 0;
        }
        for (int i = 0; i < SPLITS; i++) {
            split += pages.split(any(frames)) ? 1 : 0;
        }
        for (int i = 0; i < AGEINGS; i++) {
            young += pages.young(any(frames)) ? 1 : 0;
        }
        for (int i = 0; i < MERGES; i++) {
            int gfn = any(frames);
            int other = i % 2 == 0 || distance == 0 ? any(frames) : gfn + distance;
            if (gfn != other && other >= 0 && known.get(other) && pages.merge(gfn, other)) {
                merged++;
                distance = other - gfn;
            }
        }
    }

    private int any(int[] frames) {
        return frames[random.nextInt(frames.length)];
    }

    HostEvents events() {
        return new HostEvents(swappedOut, migrated, merged, collapsed, split, young);
    }
}
