package org.penumbra.testkit.contract;

import java.util.List;
import java.util.TreeSet;
import org.penumbra.api.memory.MemorySlot;

/**
 * Dirty logging, now of everything, now of the slots that ask for it, harvested now and then. Beside it the checker keeps a list of
 * what was written, by software and by processors; a frame of that list must be in the next harvest.
 */
final class DirtyOracle implements Disturbance {
    private final GuestRun run;
    private boolean all;
    private boolean slots;

    DirtyOracle(GuestRun run) {
        this.run = run;
        begin();
    }

    private void begin() {
        run.machine().checker().takeWritten(gfn -> {});
        if (run.random().nextInt(3) != 0) {
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
        String missing = harvest();
        if (missing.isEmpty() && run.chance(8)) {
            end();
            begin();
        }
        return missing;
    }

    private String harvest() {
        TreeSet<Long> logged = new TreeSet<>();
        TreeSet<Long> written = new TreeSet<>();
        if (all) {
            run.machine().dirtyLog().harvest(logged::add);
        } else {
            List<MemorySlot> now = run.machine().memorySlots().all();
            now.forEach(s -> run.machine().memorySlots().harvest(s.id(), logged::add));
        }
        run.machine().checker().takeWritten(written::add);
        written.removeAll(logged);
        return written.isEmpty() ? "" : String.format("gfn 0x%x was written and is not in the harvest of the dirty log", written.first());
    }

    @Override
    public String judge() {
        return harvest();
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
}
