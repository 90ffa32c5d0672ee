package org.penumbra.experiments.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C, and any other request that the process end: remembered, and held back until what had finished is written. Close it when
 * that is done.
 */
final class Interrupt implements AutoCloseable {
    /** How long the end of the process waits at most. */
    private static final long GRACE_SECONDS = 30;

    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread hook = new Thread(this::hold, "penumbra-interrupt");
    private volatile boolean asked;

    Interrupt() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Whether the process was asked to end. */
    boolean asked() {
        return asked;
    }

    /** From now on the process was asked to end. */
    void ask() {
        asked = true;
    }

    private void hold() {
        ask();
        try {
            done.await(GRACE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        done.countDown();
        if (!asked) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                asked = true;
            }
        }
    }
}
