package org.penumbra.vmx;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.penumbra.api.machine.SwapReport;

/** The last swaps of one machine. Any thread. */
final class SwapLog {
    private static final int MOST = 1024;

    private final Deque<SwapReport> reports = new ArrayDeque<>();

    synchronized void add(SwapReport report) {
        if (reports.size() == MOST) {
            reports.removeFirst();
        }
        reports.addLast(report);
    }

    /** The MMU of the last swap has allocated {@code frames} frames of structures so far. */
    synchronized void rebuilt(long frames) {
        if (!reports.isEmpty()) {
            SwapReport r = reports.removeLast();
            reports.addLast(new SwapReport(r.cause(), r.from(), r.to(), r.guestTime(), r.parkNanos(), r.pauseNanos(), r.cycles(),
                    r.droppedFrames(), frames, r.drained()));
        }
    }

    synchronized List<SwapReport> all() {
        return List.copyOf(reports);
    }
}
