package org.penumbra.experiments.study;

import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.Contents;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;

/**
 * A process that writes once to each page of its memory, or to each so many bytes, in rounds; between two rounds it runs idly until it is let into the next. After some pages it
 * may unmap others, map them anew and write to them, which changes its tables.
 */
final class RoundsGuest implements UserProgram {
    private static final long CODE = 0x40_0000;
    private static final long DATA = 0x4000_0000L;
    /** A page that stays where the others are mapped anew, in the same table. */
    private static final long BESIDE = 0x20_0000_0000L;
    private static final long REMAPPED = BESIDE + 4096;
    /** Pages that are written one after the other. */
    static final int BATCH = 64;
    private static final long LOOK = 256;

    private final int pages;
    /** Of a round. */
    private final int writes;
    private final boolean large;
    private final int remapped;
    private final int mapsAtFirst;
    /** What comes next of mapping anew; 0: nothing. */
    private int remapping;
    private int maps;
    /** The first write of the next batch. */
    private int next;
    /** Everything before {@link #next} has retired. */
    private boolean retired;

    /** @param large the guest's own pages are large */
    RoundsGuest(int pages, boolean large) {
        this(pages, pages, large, 0, false);
    }

    /** One with small pages that writes {@code perPage} times to each, at equal distances. */
    RoundsGuest(int pages, int perPage) {
        this(pages, pages * perPage, false, 0, false);
    }

    /**
     * @param remapped pages that are mapped anew after each {@link #BATCH}
     * @param beside one beside them stays, so that entries change and no table comes or goes
     */
    RoundsGuest(int pages, boolean large, int remapped, boolean beside) {
        this(pages, pages, large, remapped, beside);
    }

    private RoundsGuest(int pages, int writes, boolean large, int remapped, boolean beside) {
        this.pages = pages;
        this.writes = writes;
        this.large = large;
        this.remapped = remapped;
        this.mapsAtFirst = beside ? 3 : 2;
        this.next = writes;
    }

    /** A guest with it in it. */
    MiniatureGuest guest() {
        return new MiniatureGuest("rounds", 1, seed -> this).in(PagingMode.FOUR_LEVEL).needingPaging("it has large pages");
    }

    /** Has every write made once on {@code machine}, which is the guest's; answers the simulated cycles. */
    long round(Machine machine) {
        long before = machine.cycles().total();
        again();
        while (!done()) {
            if (!machine.run(LOOK)) {
                throw new MachineException("the guest has ended before its time");
            }
        }
        return machine.cycles().total() - before;
    }

    private void again() {
        next = 0;
        retired = false;
    }

    /** True if each write of this round was made. */
    private boolean done() {
        return next == writes && retired;
    }

    @Override
    public SystemCall next(StepBuffer steps) {
        if (maps == 2 && mapsAtFirst == 3) {
            maps++;
            return SystemCall.Map.anonymous(BESIDE, 4096);
        }
        if (maps < 2) {
            return maps++ == 0 ? new SystemCall.Map(CODE, 4096, false, true, Contents.FILE)
                    : large ? SystemCall.Map.large(DATA, pages * 4096L) : SystemCall.Map.anonymous(DATA, pages * 4096L);
        }
        if (remapping > 0) {
            return remap(steps);
        }
        retired = true;
        steps.fetch(CODE, 16);
        for (int end = Math.min(writes, next + BATCH); next < end; next++) {
            retired = false;
            steps.store(DATA + next * (4096L * pages / writes), 8, next);
        }
        if (!retired && remapped > 0) {
            remapping = 3;
        }
        return null;
    }

    private SystemCall remap(StepBuffer steps) {
        switch (remapping--) {
            case 3:
                return new SystemCall.Unmap(REMAPPED, remapped * 4096L);
            case 2:
                return SystemCall.Map.anonymous(REMAPPED, remapped * 4096L);
            default:
                if (mapsAtFirst == 3) {
                    steps.store(BESIDE, 8, 0);
                }
                for (int i = 0; i < remapped; i++) {
                    steps.store(REMAPPED + i * 4096L, 8, i);
                }
                return null;
        }
    }
}
