package org.penumbra.testkit.contract;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.memory.GuestMemory;

/**
 * Copies of a guest's memory as live migration makes them: all of it when the dirty log begins, then after each harvest what was dirty.
 * When the guest has stopped, and the last harvest is copied, a frame that differs from its copy was written and not logged. One thread
 * at a time.
 */
final class FrameCopies {
    private final Machine machine;
    private final Probe probe;
    private final CostProfile hardware;
    private final Map<Long, long[]> copies = new HashMap<>();

    /** Begins the dirty log; {@code frames} are gpas. */
    FrameCopies(Machine machine, Probe probe, CostProfile hardware, List<Long> frames) {
        this.machine = machine;
        this.probe = probe;
        this.hardware = hardware;
        machine.dirtyLog().start();
        GuestMemory memory = memory();
        frames.forEach(gpa -> copies.put(gpa, read(memory, gpa)));
    }

    private GuestMemory memory() {
        return probe.host.guestMemory(new CycleClock(hardware));
    }

    private static long[] read(GuestMemory memory, long gpa) {
        long[] words = new long[512];
        for (int i = 0; i < words.length; i++) {
            words[i] = memory.load(gpa + 8L * i, 8);
        }
        return words;
    }

    /** One round: harvests, and copies what was dirty. */
    void round() {
        GuestMemory memory = memory();
        machine.dirtyLog().harvest(gfn -> copies.computeIfPresent(gfn << 12, (gpa, old) -> read(memory, gpa)));
    }

    /** What differs after the last round, which this makes, while the guest stands still; empty if nothing does. */
    String compare() {
        round();
        GuestMemory memory = memory();
        for (Map.Entry<Long, long[]> copy : copies.entrySet()) {
            long[] now = read(memory, copy.getKey());
            for (int i = 0; i < now.length; i++) {
                if (now[i] != copy.getValue()[i]) {
                    return String.format("gpa 0x%x holds 0x%x and was 0x%x when it was dirty last: a write is missing in the dirty log",
                            copy.getKey() + 8L * i, now[i], copy.getValue()[i]);
                }
            }
        }
        return "";
    }
}
