package org.penumbra.experiments.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Ctrl-C, and any other request that the process end: remembered, and held back until what had finished is written. Close it when
 * that is done.
 */
final class Interrupt implements AutoCloseable {
    /** How long the end of the process waits at most. */
    private static final long GRACE_SECONDS = 30;

    private final CountDownLatch done = new CountDownLatch(1);
    private final BooleanSupplier elsewhere;
    /** Null if somebody else listens for the end of the process. */
    private final Thread hook;
    private volatile boolean asked;

    Interrupt() {
        this.elsewhere = () -> false;
        this.hook = new Thread(this::hold, "penumbra-interrupt");
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** For a command in the background, which is asked to end by {@code elsewhere}. */
    Interrupt(BooleanSupplier elsewhere) {
        this.elsewhere = elsewhere;
        this.hook = null;
    }

    /** Whether the process, or this command, was asked to end. */
    boolean asked() {
        return asked || elsewhere.getAsBoolean();
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
        if (!asked && hook != null) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                asked = true;
            }
        }
    }
}
