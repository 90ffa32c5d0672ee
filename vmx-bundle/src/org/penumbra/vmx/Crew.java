package org.penumbra.vmx;

import java.util.function.IntConsumer;

/** The threads of one machine: each does its part of a round, and the round ends when all have. Made when first needed. */
final class Crew {
    private final String name;
    private final VcpuThread[] threads;
    private final IntConsumer part;
    private final Runnable failed;
    private long round;
    private int busy;
    private Throwable failure;
    private boolean over;

    /**
     * @param part what thread n does in a round
     * @param failed called when one of them fails, so that the others come to an end
     */
    Crew(String name, int threads, IntConsumer part, Runnable failed) {
        this.failed = failed;
        this.name = name;
        this.threads = new VcpuThread[threads];
        this.part = part;
    }

    /** Runs one round, on the crew's threads, and throws what the first of them threw. */
    synchronized void run() {
        if (over) {
            throw new IllegalStateException("the machine is closed");
        }
        failure = null;
        busy = threads.length;
        round++;
        for (int i = 0; i < threads.length; i++) {
            if (threads[i] == null) {
                start(i, round - 1);
            }
        }
        notifyAll();
        boolean interrupted = false;
        while (busy > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        Throwable problem = failure;
        failure = null;
        if (problem instanceof Error e) {
            throw e;
        }
        if (problem != null) {
            throw (RuntimeException) problem;
        }
    }

    /** {@code thread} is stuck: another does its part of the round anew. False if it is none of this crew's. */
    synchronized boolean replace(Thread thread) {
        for (int i = 0; i < threads.length; i++) {
            if (threads[i] == thread) {
                threads[i].abandon();
                start(i, round - 1);
                return true;
            }
        }
        return false;
    }

    /** Ends the threads; those that are stuck end when they come back. */
    synchronized void close() {
        over = true;
        notifyAll();
    }

    private void start(int i, long seen) {
        threads[i] = new VcpuThread(() -> work(i, seen), name + "-" + i);
        threads[i].start();
    }

    private void work(int i, long begun) {
        long seen = begun;
        while (await(seen)) {
            seen++;
            Throwable problem = null;
            try {
                part.accept(i);
            } catch (AbandonedException e) {
                return;
            } catch (Throwable e) {
                problem = e;
                failed.run();
            }
            done(problem);
        }
    }

    private synchronized boolean await(long seen) {
        while (round == seen && !over) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Nobody interrupts a thread that waits for work; a late interrupt was meant for what it did before.
            }
        }
        return !over && !((VcpuThread) Thread.currentThread()).abandoned();
    }

    private synchronized void done(Throwable problem) {
        if (((VcpuThread) Thread.currentThread()).abandoned()) {
            return;
        }
        if (failure == null) {
            failure = problem;
        }
        busy--;
        notifyAll();
    }
}
