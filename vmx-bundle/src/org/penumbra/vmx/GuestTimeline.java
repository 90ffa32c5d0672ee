package org.penumbra.vmx;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
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
    /** Held while actions run. */
    private final ReentrantLock acting = new ReentrantLock();
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
        alone(this::act);
    }

    /** The same inside {@link #alone}. */
    void act() {
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

    /** Does {@code work} while no other thread runs actions. One may close the machine's gate, so who is inside that must not wait here. */
    void alone(Runnable work) {
        acting.lock();
        try {
            work.run();
        } finally {
            acting.unlock();
        }
    }

    /** Writes for a snapshot how much was skipped; whoever has set a timer sets it anew. */
    void save(DataOutput out) throws IOException {
        out.writeLong(skipped);
    }

    void restore(DataInput in) throws IOException {
        skipped = in.readLong();
    }

    /** Every vCPU is halted: goes on to the next action. False if there is none. */
    boolean skip() {
        boolean[] any = new boolean[1];
        alone(() -> {
            synchronized (this) {
                drop();
                any[0] = !actions.isEmpty();
                skipped += any[0] ? Math.max(0, actions.peek().time - now()) : 0;
            }
            act();
        });
        return any[0];
    }

    private void drop() {
        while (!actions.isEmpty() && actions.peek().work == null) {
            actions.poll();
        }
    }
}
