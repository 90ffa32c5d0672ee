package org.penumbra.experiments.study;

import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.Contents;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;

/** A process that writes once to each page of its memory, in rounds; between two rounds it runs idly until it is let into the next. */
final class RoundsGuest implements UserProgram {
    private static final long CODE = 0x40_0000;
    private static final long DATA = 0x4000_0000L;
    private static final int BATCH = 64;
    private static final long LOOK = 256;

    private final int pages;
    private final boolean large;
    private int maps;
    /** The first page of the next batch. */
    private int next;
    /** Everything before {@link #next} has retired. */
    private boolean retired;

    /** @param large the guest's own pages are large */
    RoundsGuest(int pages, boolean large) {
        this.pages = pages;
        this.large = large;
        this.next = pages;
    }

    /** A guest with it in it. */
    MiniatureGuest guest() {
        return new MiniatureGuest("rounds", 1, seed -> this).in(PagingMode.FOUR_LEVEL).needingPaging("it has large pages");
    }

    /** Has every page written once on {@code machine}, which is the guest's; answers the simulated cycles. */
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

    /** True if each page was written in this round. */
    private boolean done() {
        return next == pages && retired;
    }

    @Override
    public SystemCall next(StepBuffer steps) {
        if (maps < 2) {
            return maps++ == 0 ? new SystemCall.Map(CODE, 4096, false, true, Contents.FILE)
                    : large ? SystemCall.Map.large(DATA, pages * 4096L) : SystemCall.Map.anonymous(DATA, pages * 4096L);
        }
        retired = true;
        steps.fetch(CODE, 16);
        for (int end = Math.min(pages, next + BATCH); next < end; next++) {
            retired = false;
            steps.store(DATA + next * 4096L, 8, next);
        }
        return null;
    }
}
