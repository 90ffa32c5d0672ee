package org.penumbra.testkit.contract;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.WriteTracking.Request;

/**
 * Somebody keeps copies of frames, or of some bytes of them, by the writes that are reported, as a device model or a hypervisor of a guest hypervisor does. A
 * copy that differs from its frame missed a write. Flags that processors set in tables are no writes of software.
 */
final class TrackedWrites implements Disturbance {
    private static final int MOST = 4;
    private static final int PART = 128;
    private static final long FLAGS = 0x60;

    private final GuestRun run;
    private final Map<Long, Copy> copies = new HashMap<>();

    TrackedWrites(GuestRun run) {
        this.run = run;
    }

    private final class Copy {
        final long gpa;
        final long[] words;
        final Request request;

        /** Of a frame, or of some bytes in it. */
        Copy(long gfn) {
            boolean part = copies.size() % 2 == 1;
            int first = part ? (int) (gfn % 63) * 64 : 0;
            words = new long[part ? PART / 8 : 512];
            gpa = (gfn << 12) + first;
            request = run.probe().host.writeTracking().trackBytes(gpa, 8 * words.length, this::written);
            read(gpa, 8 * words.length);
        }

        private void written(long at, int bytes) {
            read(at, bytes);
        }

        private void read(long at, int bytes) {
            GuestMemory memory = memory();
            for (long a = Math.max(at & -8L, gpa); a < Math.min(at + bytes, gpa + 8L * words.length); a += 8) {
                words[(int) (a - gpa) / 8] = memory.load(a, 8);
            }
        }

        String compare() {
            GuestMemory memory = memory();
            for (int i = 0; i < words.length; i++) {
                long now = memory.load(gpa + 8L * i, 8);
                long flags = FLAGS | FLAGS << 32;
                if ((now & ~flags) != (words[i] & ~flags)) {
                    return String.format("a write to gpa 0x%x was not reported, though it is tracked: 0x%x is there, 0x%x was reported last",
                            gpa + 8L * i, now, words[i]);
                }
            }
            return "";
        }
    }

    private GuestMemory memory() {
        return run.probe().host.guestMemory(new CycleClock(run.subject().hardware(run.setup().mode())));
    }

    @Override
    public String happen() {
        for (Copy c : copies.values()) {
            String wrong = c.compare();
            if (!wrong.isEmpty()) {
                return wrong;
            }
        }
        if (run.chance(6)) {
            if (copies.size() == MOST) {
                Copy any = copies.values().iterator().next();
                any.request.close();
                copies.remove(any.gpa >>> 12);
            }
            copies.computeIfAbsent(run.gfn(), Copy::new);
        }
        return "";
    }

    @Override
    public void close() {
        copies.values().forEach(c -> c.request.close());
        copies.clear();
    }
}
