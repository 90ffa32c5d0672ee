package org.penumbra.devices.interrupt;

import java.util.LinkedHashSet;
import java.util.Set;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;

/**
 * What arrives while there is no controller. Bounded, because it falls together as it would in one: a pin rose or did not, a
 * message came or did not, an entry was written, and of EOIs no more count than there are vectors in service. Guarded by the lock
 * of its machine.
 */
final class Latch {
    private record Message(long address, int data) {}

    private final Set<Message> messages = new LinkedHashSet<>();
    private final int[] endOfInterrupts;
    private final long[] entries = new long[ControllerState.PINS];
    /** Pins by bit: whose line rose, whose entry was written, and was edge triggered in between. */
    private int rose;
    private int written;
    private int edge;

    Latch(int vcpus) {
        endOfInterrupts = new int[vcpus];
    }

    void rose(int pin) {
        rose |= 1 << pin;
    }

    boolean hasRisen(int pin) {
        return (rose & 1 << pin) != 0;
    }

    void message(long address, int data) {
        messages.add(new Message(address, data));
    }

    /** A write to the redirection entry of {@code pin}: the last counts, and that one in between cleared the remote IRR. */
    void redirect(int pin, long entry) {
        entries[pin] = entry;
        written |= 1 << pin;
        edge |= (entry & ControllerState.LEVEL_TRIGGERED) == 0 ? 1 << pin : 0;
    }

    /** An EOI of {@code vcpu} for something that is in service in {@code kept}. */
    void endOfInterrupt(int vcpu, ControllerState kept) {
        long[] isr = kept.isr();
        int inService = 0;
        for (int i = 0; i < 4; i++) {
            inService += Long.bitCount(isr[4 * vcpu + i]);
        }
        endOfInterrupts[vcpu] = Math.min(endOfInterrupts[vcpu] + 1, inService);
    }

    void replayEndOfInterrupts(InterruptController controller) {
        for (int vcpu = 0; vcpu < endOfInterrupts.length; vcpu++) {
            for (; endOfInterrupts[vcpu] > 0; endOfInterrupts[vcpu]--) {
                controller.endOfInterrupt(vcpu);
            }
        }
    }

    void replayRedirections(InterruptController controller) {
        for (int pin = 0; pin < ControllerState.PINS; pin++) {
            if ((edge & 1 << pin) != 0) {
                controller.redirect(pin, ControllerState.MASKED);
            }
            if ((written & 1 << pin) != 0) {
                controller.redirect(pin, entries[pin]);
            }
        }
        written = 0;
        edge = 0;
    }

    void replayMessages(InterruptController controller) {
        messages.forEach(m -> controller.msi(m.address, m.data));
        messages.clear();
    }

    void forgetPins() {
        rose = 0;
    }
}
