package org.penumbra.experiments.trace;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Kills the traced program when the virtual machine is told to end, and lets the recording complete its trace before it
 * does. Made before the program starts, so that there is no moment in which the program would be left behind.
 */
final class ProgramGuard implements AutoCloseable {

    /** How long the end of the virtual machine waits for the recording. */
    private static final long GRACE_SECONDS = 30;

    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stop, "penumbra-trace-shutdown");
    private Process program;
    private boolean stopped;

    /** @throws IllegalStateException if the virtual machine is already ending */
    ProgramGuard() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    synchronized void guard(Process program) {
        this.program = program;
        if (stopped) {
            kill();
        }
    }

    /** Whether the virtual machine is ending. */
    synchronized boolean stopped() {
        return stopped;
    }

    /** Kills the program and what it started, if they still run. */
    synchronized void kill() {
        if (program != null) {
            program.descendants().forEach(ProcessHandle::destroyForcibly);
            program.destroyForcibly();
        }
    }

    private void stop() {
        synchronized (this) {
            stopped = true;
            kill();
        }
        try {
            done.await(GRACE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The recording is over: nothing is left to wait for. */
    @Override
    public void close() {
        done.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The virtual machine is ending, and the hook has run or will find nothing to do.
            return;
        }
    }
}
