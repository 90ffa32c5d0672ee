package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.penumbra.api.interrupt.Descriptor;
import org.penumbra.api.interrupt.Descriptors;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.TimerDescriptor;
import org.penumbra.api.machine.Machine;

/** A machine whose guest lives on interrupts: a timer ticks every {@link #PERIOD} operations, through an irqfd. */
final class TickingGuest {
    static final int GSI = 4;
    private static final long PERIOD = 1_000;

    final Machine machine;
    final AtomicInteger ticks = new AtomicInteger();
    private final EventDescriptor event;
    private final TimerDescriptor timer;

    /** @param machine with a guest that waits for interrupts */
    TickingGuest(Machine machine, Descriptors descriptors) {
        this.machine = machine;
        event = descriptors.event(0, false);
        timer = descriptors.timer(machine.timeline());
        machine.interrupts().irqfd(event, GSI, null);
        timer.addWaiter(events -> {
            if ((events & Descriptor.POLLIN) != 0) {
                ticks.incrementAndGet();
                event.signal();
                timer.tryRead();
            }
        });
        timer.settime(0, new TimerDescriptor.Setting(PERIOD, PERIOD));
    }

    long injected() {
        return machine.counters().get("irq_injections");
    }

    void finish() {
        Trial.finish(machine);
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        machine.close();
    }
}
