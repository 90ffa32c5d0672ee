package org.penumbra.testkit.contract;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.penumbra.api.machine.DirtyRingReader;
import org.penumbra.api.memory.MemorySlot;

/**
 * Dirty logging, now of everything, now of the slots that ask for it, harvested now and then, or read and cleared piece by piece from a log
 * that began with every frame in it, now from a ring for each vCPU. Beside it the checker keeps a list of what was written, by software and by processors; a frame of that
 * list must be in the next harvest.
 */
final class DirtyOracle implements Disturbance {
    private final GuestRun run;
    private boolean all;
    private boolean slots;
    /** The log began with every frame in it, and is read and cleared by hand. */
    private boolean byHand;
    private final Rings rings = new Rings();
    private boolean ringed;

    DirtyOracle(GuestRun run) {
        this.run = run;
    }

    private void begin() {
        run.machine().checker().takeWritten(gfn -> {});
        int way = run.random().nextInt(5);
        ringed = way == 4;
        byHand = way == 3;
        if (byHand) {
            run.machine().dirtyLog().startAllSet();
            all = true;
        } else if (ringed) {
            run.machine().dirtyLog().startRings(1024, rings);
            all = true;
        } else if (way != 0) {
            run.machine().dirtyLog().start();
            all = true;
        } else {
            log(MemorySlot.LOG_DIRTY_PAGES);
            slots = true;
        }
    }

    private void log(int flags) {
        for (MemorySlot s : run.machine().memorySlots().all()) {
            run.machine().memorySlots().set(s.id(), s.flags() & ~MemorySlot.LOG_DIRTY_PAGES | flags, s.baseGfn() << 12, s.frames() << 12, s.hva());
        }
    }

    @Override
    public String happen() {
        if (!run.chance(4)) {
            return "";
        }
        if (!all && !slots) {
            begin();
            return "";
        }
        String missing = harvest();
        if (missing.isEmpty() && run.chance(8)) {
            // For a while nothing is logged, and pages may be large.
            end();
        }
        return missing;
    }

    private String harvest() {
        TreeSet<Long> logged = new TreeSet<>();
        TreeSet<Long> written = new TreeSet<>();
        if (byHand) {
            run.machine().dirtyLog().get(logged::add);
        } else if (all) {
            run.machine().dirtyLog().harvest(logged::add);
            if (ringed) {
                rings.read();
                logged.addAll(rings.told);
                rings.told.clear();
            }
        } else {
            List<MemorySlot> now = run.machine().memorySlots().all();
            now.forEach(s -> run.machine().memorySlots().harvest(s.id(), logged::add));
        }
        run.machine().checker().takeWritten(written::add);
        written.removeAll(logged);
        for (int n = byHand ? run.random().nextInt(4) : 0; n > 0; n--) {
            run.machine().dirtyLog().clear(run.gfn() & -64L, new long[] {run.random().nextLong()});
        }
        return written.isEmpty() ? "" : String.format("gfn 0x%x was written and is not in the harvest of the dirty log", written.first());
    }

    @Override
    public String judge() {
        return all || slots ? harvest() : "";
    }

    private void end() {
        if (all) {
            run.machine().dirtyLog().stop();
        }
        if (slots) {
            log(0);
        }
        all = false;
        slots = false;
    }

    /** Reads and resets the rings, when one is full and at each harvest. */
    private final class Rings implements DirtyRingReader {
        private final Set<Long> told = new TreeSet<>();

        @Override
        public void full(int vcpu) {
            read();
        }

        void read() {
            run.machine().dirtyLog().harvestRings((vcpu, gfn) -> told.add(gfn));
            run.machine().dirtyLog().resetRings();
        }
    }
}
