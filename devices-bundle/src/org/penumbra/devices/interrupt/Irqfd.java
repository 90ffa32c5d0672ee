package org.penumbra.devices.interrupt;

import org.penumbra.api.interrupt.Descriptor;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Waiter;

/** {@code struct kvm_kernel_irqfd}: an event that is tied to a GSI. */
final class Irqfd implements Waiter, Registration {
    final EventDescriptor event;
    final int gsi;
    /** Null for none. */
    final EventDescriptor resample;
    /** Whether the machine counts it among its own; guarded by the machine's lock. */
    boolean tied;
    private final MachineInterrupts machine;
    private volatile Registration hook;

    Irqfd(MachineInterrupts machine, EventDescriptor event, int gsi, EventDescriptor resample) {
        this.machine = machine;
        this.event = event;
        this.gsi = gsi;
        this.resample = resample;
    }

    /**
     * The second half of {@code kvm_irqfd_assign}: from here on each signal calls {@link #wake}. What was signalled before is
     * injected and stays readable, for nobody read it.
     */
    void hook() {
        hook = event.addConsumer(this);
        if ((event.poll() & Descriptor.POLLIN) != 0) {
            machine.inject(this);
        }
    }

    /** {@code irqfd_wakeup}. */
    @Override
    public void wake(int events) {
        if ((events & Descriptor.POLLIN) != 0) {
            machine.inject(this);
        }
        if ((events & Descriptor.POLLHUP) != 0) {
            machine.detach(this);
        }
    }

    /** {@code irqfd_shutdown}: unhooks, lets injections that have begun end, and only then gives up the GSI. */
    @Override
    public void close() {
        Registration h = hook;
        if (h != null) {
            h.close();
        }
        machine.detach(this);
    }
}
