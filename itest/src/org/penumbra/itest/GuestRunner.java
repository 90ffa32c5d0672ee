package org.penumbra.itest;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.penumbra.api.machine.Machine;

/**
 * Runs one guest after the other on a thread of its own, and compares each with what a guest that was left alone did: a test can do
 * to the hypervisor what it wants meanwhile. The machine is replaced by the next under the monitor of this object.
 */
final class GuestRunner implements AutoCloseable {
    private final Supplier<Machine> maker;
    private final long operations;
    private final long digest;
    private final long memory;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final Thread thread = new Thread(this::run, "guest runner");
    private volatile boolean over;
    private volatile Machine machine;
    private volatile int guests;
    private volatile long translations;

    /** @param maker makes a machine with the same guest each time; the first one is run here, undisturbed */
    GuestRunner(Supplier<Machine> maker) {
        this.maker = maker;
        Machine alone = Trial.finish(maker.get());
        operations = alone.operations();
        digest = alone.guestDigest();
        memory = alone.memoryDigest();
        alone.close();
        machine = maker.get();
        thread.start();
    }

    /** The machine that runs now. */
    Machine machine() {
        return machine;
    }

    /** Guests that ran to their end. */
    int guests() {
        return guests;
    }

    /** Translations of these guests that were compared with the specification, none of which was wrong; 0 for machines without a checker. */
    long translations() {
        return translations;
    }

    /** What went wrong in a guest, null so far. */
    Throwable failure() {
        return failure.get();
    }

    private void run() {
        try {
            while (!over) {
                Machine now = machine;
                Trial.finish(now);
                check("operations", operations, now.operations());
                check("digest", digest, now.guestDigest());
                check("memory", memory, now.memoryDigest());
                if (now.checker() != null) {
                    check("wrong translations", 0, now.checker().wrong());
                    translations += now.accesses();
                }
                if (!now.hotSwap().misconduct().isEmpty()) {
                    throw new AssertionError(now.hotSwap().misconduct().toString());
                }
                synchronized (this) {
                    machine = maker.get();
                    now.close();
                    guests++;
                }
            }
        } catch (Throwable e) {
            failure.set(e);
        } finally {
            machine.close();
        }
    }

    private static void check(String what, long expected, long found) {
        if (expected != found) {
            throw new AssertionError(what + " of a disturbed guest: " + found + " instead of " + expected);
        }
    }

    /** Lets the guest that runs now finish, and ends. */
    @Override
    public void close() throws InterruptedException {
        over = true;
        thread.join(60_000);
        if (thread.isAlive()) {
            throw new AssertionError("the guest does not end: it waits for design " + machine.hotSwap().design() + ": " + machine.hotSwap().waiting());
        }
    }
}
