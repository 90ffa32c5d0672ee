package org.penumbra.api.cpu;

/**
 * The interrupt line into a logical processor: raised by any thread to get the vCPU out of the guest, looked at by the engine
 * between two operations.
 */
public final class InterruptLine {
    private volatile boolean requested;
    private boolean window;

    /** Asks for an external interrupt. Any thread. */
    public void raise() {
        requested = true;
    }

    /** True while the engine has to call {@link Processor#interrupted} before each operation. */
    public boolean raised() {
        return requested || window;
    }

    /** True while an external interrupt is asked for and not taken. */
    public boolean requested() {
        return requested;
    }

    /** The processor takes the interrupt. */
    public void acknowledge() {
        requested = false;
    }

    /** The processor waits for RFLAGS.IF = 1 ("interrupt-window exiting"). Called by the thread that runs the vCPU. */
    public void awaitWindow(boolean waiting) {
        window = waiting;
    }
}
