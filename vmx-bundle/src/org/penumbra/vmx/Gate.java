package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.penumbra.api.machine.MachineException;

/**
 * The gate of one machine. Whoever works with the MMU does so inside: vCPU threads between two looks at {@link #closing}, host
 * events, audits. Who closes it waits until nobody is inside, and is alone with the machine until it opens it again. Closers come
 * one at a time; that is their own affair.
 */
final class Gate {
    private final Map<Thread, String> inside = new LinkedHashMap<>();
    private final Runnable hurry;
    private volatile boolean closed;
    private boolean shut;

    /** @param hurry asks those inside to come out: called when the gate closes, must not block */
    Gate(Runnable hurry) {
        this.hurry = hurry;
    }

    /** True if those inside are asked to come out soon. */
    boolean closing() {
        return closed;
    }

    /** Goes in, waiting while the gate is closed. {@code who} is for messages. */
    synchronized void enter(String who) throws InterruptedException {
        while (closed && !shut) {
            wait();
        }
        if (shut) {
            throw new MachineException("the machine is closed");
        }
        inside.put(Thread.currentThread(), who);
    }

    /** Comes out. */
    void leave() {
        expel(Thread.currentThread());
    }

    /** Counts {@code thread} as outside: it will do no harm any more, and may never come out by itself. */
    synchronized void expel(Thread thread) {
        inside.remove(thread);
        notifyAll();
    }

    /** True if {@code thread} is inside. */
    synchronized boolean holds(Thread thread) {
        return inside.containsKey(thread);
    }

    /**
     * Closes the gate and waits for those inside. Interrupts are kept for later.
     *
     * @return who did not come out in {@code millis}, empty if all did; the gate is closed either way
     */
    synchronized List<String> close(long millis) {
        closed = true;
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        boolean interrupted = false;
        long left = millis;
        while (!inside.isEmpty() && left > 0) {
            hurry.run();
            try {
                wait(left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
            left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return new ArrayList<>(inside.values());
    }

    /** Threads inside now. */
    synchronized List<Thread> threads() {
        return new ArrayList<>(inside.keySet());
    }

    /** Opens the gate. */
    synchronized void open() {
        closed = false;
        notifyAll();
    }

    /** Nobody goes in any more: those who wait are turned away. */
    synchronized void shut() {
        shut = true;
        notifyAll();
    }
}
