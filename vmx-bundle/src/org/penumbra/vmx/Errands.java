package org.penumbra.vmx;

/**
 * A thread for calls into MMUs that a swap makes: the thread that asks for the swap only waits, so that it goes on when the call gets
 * stuck. One errand at a time; the thread is made when first needed.
 */
final class Errands {
    private VcpuThread thread;
    private Runnable job;
    private boolean over;

    /** Does {@code work} and throws what it throws; {@link AbandonedException} if its thread was given up meanwhile. */
    void run(Runnable work) {
        Outcome outcome = new Outcome();
        VcpuThread runner;
        synchronized (this) {
            if (thread == null) {
                thread = new VcpuThread(this::serve, "penumbra-swap");
                thread.start();
            }
            runner = thread;
            job = () -> outcome.take(work);
            notifyAll();
            boolean interrupted = false;
            while (!outcome.done && !runner.abandoned()) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (!outcome.done) {
            throw new AbandonedException();
        }
        outcome.rethrow();
    }

    /** Gives {@code stuck} up if it is the thread; false if it is not. */
    synchronized boolean replace(Thread stuck) {
        if (stuck != thread) {
            return false;
        }
        thread.abandon();
        thread = null;
        notifyAll();
        return true;
    }

    synchronized void close() {
        over = true;
        notifyAll();
    }

    private void serve() {
        VcpuThread self = (VcpuThread) Thread.currentThread();
        while (true) {
            Runnable next;
            synchronized (this) {
                while (job == null && !over && !self.abandoned()) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        // Meant for a call that has ended since.
                    }
                }
                if (job == null || self.abandoned()) {
                    return;
                }
                next = job;
                job = null;
            }
            next.run();
            synchronized (this) {
                notifyAll();
            }
            if (self.abandoned()) {
                return;
            }
        }
    }

    private static final class Outcome {
        private volatile boolean done;
        private Throwable problem;

        void take(Runnable work) {
            try {
                work.run();
            } catch (AbandonedException e) {
                return;
            } catch (Throwable e) {
                problem = e;
            }
            done = true;
        }

        void rethrow() {
            if (problem instanceof Error e) {
                throw e;
            }
            if (problem != null) {
                throw (RuntimeException) problem;
            }
        }
    }
}
