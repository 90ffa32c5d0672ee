package org.penumbra.vmx;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Looks from time to time whether a call into a machine's MMU is stuck. */
final class Watchdog extends Thread {
    private final VirtualMachine machine;
    private final long millis;
    private volatile boolean over;

    /** @param millis how long a call may take, in wall time */
    Watchdog(VirtualMachine machine, long millis) {
        super(null, null, "penumbra-watchdog", 0, false);
        this.machine = machine;
        this.millis = millis;
        setDaemon(true);
        setContextClassLoader(Watchdog.class.getClassLoader());
    }

    @Override
    public void run() {
        while (!over) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(Math.max(1, millis / 8)));
            for (Attachment attachment : machine.swapper().attachments().inUse()) {
                Thread stuck = attachment.guard().stuck(millis);
                if (stuck != null) {
                    machine.abandon(stuck);
                }
            }
        }
    }

    void end() {
        over = true;
        LockSupport.unpark(this);
    }
}
