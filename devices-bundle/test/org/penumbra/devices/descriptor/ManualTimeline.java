package org.penumbra.devices.descriptor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Timeline;

/** A time that a test moves on. */
public final class ManualTimeline implements Timeline {
    private record Due(long time, Runnable action) {}

    private final List<Due> waiting = new ArrayList<>();
    private long now;

    @Override
    public synchronized long now() {
        return now;
    }

    @Override
    public synchronized Registration at(long time, Runnable action) {
        Due due = new Due(time, action);
        waiting.add(due);
        return () -> {
            synchronized (this) {
                waiting.remove(due);
            }
        };
    }

    /** Moves on to {@code time}, stopping at each action that is due. */
    public void advanceTo(long time) {
        for (Due due = next(time); due != null; due = next(time)) {
            due.action.run();
        }
    }

    private synchronized Due next(long time) {
        Due first = waiting.stream().filter(d -> d.time <= time).min(Comparator.comparingLong(Due::time)).orElse(null);
        now = Math.max(now, first == null ? time : first.time);
        waiting.remove(first);
        return first;
    }

    /** Jumps to {@code time} without stopping on the way, as a time does whose owner was busy, then runs what is due. */
    public void jumpTo(long time) {
        synchronized (this) {
            now = time;
        }
        advanceTo(time);
    }

    /** Number of actions that wait. */
    public synchronized int waiting() {
        return waiting.size();
    }
}
