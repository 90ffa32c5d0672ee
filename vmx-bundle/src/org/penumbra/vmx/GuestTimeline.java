package org.penumbra.vmx;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.function.LongSupplier;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Timeline;

/**
 * Guest time for timers: operations retired by the vCPU that is furthest, and what was skipped while every vCPU was halted. Actions run
 * on a thread of the machine, between two turns of vCPUs.
 */
final class GuestTimeline implements Timeline {
    private static final class Action implements Registration {
        private final long time;
        private final long number;
        private volatile Runnable work;

        Action(long time, long number, Runnable work) {
            this.time = time;
            this.number = number;
            this.work = work;
        }

        @Override
        public void close() {
            work = null;
        }
    }

    private final LongSupplier retired;
    private final Runnable earlier;
    private final PriorityQueue<Action> actions =
            new PriorityQueue<>(Comparator.comparingLong((Action a) -> a.time).thenComparingLong(a -> a.number));
    private long number;
    private volatile long skipped;

    /** @param earlier called when an action was registered that is due before all others: turns that run now may be too long */
    GuestTimeline(LongSupplier retired, Runnable earlier) {
        this.retired = retired;
        this.earlier = earlier;
    }

    @Override
    public long now() {
        return retired.getAsLong() + skipped;
    }

    @Override
    public Registration at(long time, Runnable action) {
        Action a;
        boolean first;
        synchronized (this) {
            drop();
            a = new Action(time, number++, action);
            actions.add(a);
            first = actions.peek() == a;
        }
        if (first) {
            earlier.run();
        }
        return a;
    }

    /** How many operations a vCPU that has retired {@code own} may retire until the next action is due; at least 1. */
    synchronized long untilNext(long own) {
        drop();
        return actions.isEmpty() ? Long.MAX_VALUE : Math.max(1, actions.peek().time - skipped - own);
    }

    /** Runs what is due, in order of time. */
    void runDue() {
        Queue<Runnable> due = new ArrayDeque<>();
        synchronized (this) {
            drop();
            while (!actions.isEmpty() && actions.peek().time <= now()) {
                Runnable work = actions.poll().work;
                if (work != null) {
                    due.add(work);
                }
            }
        }
        due.forEach(Runnable::run);
    }

    /** Every vCPU is halted: goes on to the next action. False if there is none. */
    boolean skip() {
        synchronized (this) {
            drop();
            if (actions.isEmpty()) {
                return false;
            }
            skipped += Math.max(0, actions.peek().time - now());
        }
        runDue();
        return true;
    }

    private void drop() {
        while (!actions.isEmpty() && actions.peek().work == null) {
            actions.poll();
        }
    }
}
