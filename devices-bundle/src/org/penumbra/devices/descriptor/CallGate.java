package org.penumbra.devices.descriptor;

import java.util.Arrays;

/**
 * Knows which threads are inside calls through a registration, so that closing it can wait until they have left: what
 * {@code flush_work} and {@code synchronize_srcu} are for in the kernel. Its lock is a leaf.
 */
public final class CallGate {
    private Thread[] inside = new Thread[2];
    private int count;
    private boolean closed;

    /** Enters, to {@link #leave} by the same thread; false if the gate is closed. */
    public synchronized boolean enter() {
        if (closed) {
            return false;
        }
        if (count == inside.length) {
            inside = Arrays.copyOf(inside, 2 * count);
        }
        inside[count++] = Thread.currentThread();
        return true;
    }

    /** Ends the call that this thread entered last. */
    public synchronized void leave() {
        int i = count - 1;
        while (inside[i] != Thread.currentThread()) {
            i--;
        }
        inside[i] = inside[--count];
        inside[count] = null;
        if (closed && count == 0) {
            notifyAll();
        }
    }

    /**
     * Lets nobody in any more and returns when everybody is out. A thread that is itself inside does not wait: two of them would
     * wait for each other. Interrupts are kept for later.
     */
    public void close() {
        boolean interrupted = false;
        synchronized (this) {
            closed = true;
            while (count > 0 && !isInside()) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean isInside() {
        for (int i = 0; i < count; i++) {
            if (inside[i] == Thread.currentThread()) {
                return true;
            }
        }
        return false;
    }
}
