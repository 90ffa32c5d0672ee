package org.penumbra.devices.interrupt;

import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;

/**
 * Local APICs, one per vCPU, and an I/O APIC with 24 pins; for their registers and fields see {@link ControllerState} and
 * {@link InterruptController#msi}. Interrupts are of delivery mode fixed, lowest priority or NMI; others are not accepted.
 */
final class X2Apic implements InterruptController {
    /** Vectors that an APIC does not accept (SDM vol. 3, "Valid Interrupt Vectors"). */
    private static final int ILLEGAL_VECTORS = 16;
    private static final int BROADCAST = 0xff;
    /** Of those that are named the first gets it: which one does is the processors' affair (SDM vol. 3, "Lowest Priority Delivery Mode"). */
    private static final int LOWEST_PRIORITY = 1;
    private static final int NMI = 4;
    private static final long DELIVERY_STATUS = 1L << 12;
    private static final long READ_ONLY = ControllerState.REMOTE_IRR | DELIVERY_STATUS;
    private static final long WRITABLE = (0xffL << 56 | 0x1_ffffL) & ~READ_ONLY;

    private final Host host;
    private final int vcpus;
    private final long[] irr;
    private final long[] isr;
    private final long[] tmr;
    private final long[] redirection;
    private int lines;

    X2Apic(ControllerState state, Host host) {
        this.host = host;
        vcpus = state.vcpus();
        irr = state.irr();
        isr = state.isr();
        tmr = state.tmr();
        redirection = state.redirection();
        lines = state.lines();
    }

    /** Both trigger modes deliver at a rise; a level that outlasts its EOI, and a masked edge, are the business of others. */
    @Override
    public void line(int pin, boolean high) {
        int bit = 1 << pin;
        boolean rise = high && (lines & bit) == 0;
        lines = high ? lines | bit : lines & ~bit;
        if (rise) {
            service(pin);
        }
    }

    /** 82093AA, section 3.2.4: a masked pin delivers nothing, nor does a level one between acceptance and EOI. */
    private void service(int pin) {
        long entry = redirection[pin];
        boolean level = (entry & ControllerState.LEVEL_TRIGGERED) != 0;
        if ((entry & ControllerState.MASKED) != 0 || level && (entry & ControllerState.REMOTE_IRR) != 0) {
            return;
        }
        if (deliver((int) (entry >>> 56), (int) entry >> 11 & 1, (int) entry, level) && level) {
            redirection[pin] = entry | ControllerState.REMOTE_IRR;
        }
    }

    @Override
    public void msi(long address, int data) {
        boolean level = (data & 1 << 15) != 0;
        boolean asserted = (data & 1 << 14) != 0;
        if (address >>> 20 == 0xfee && (asserted || !level)) {
            deliver((int) address >> 12 & 0xff, (int) address >> 2 & 1, data, level);
        }
    }

    /** @return whether a local APIC accepted; {@code message} has delivery mode and vector in bits 10:0 */
    private boolean deliver(int destination, int logical, int message, boolean level) {
        int vector = message & 0xff;
        int mode = message >> 8 & 7;
        if (mode != NMI && (mode > LOWEST_PRIORITY || vector < ILLEGAL_VECTORS)) {
            return false;
        }
        boolean accepted = false;
        for (int n = 0; n < vcpus; n++) {
            if (reaches(destination, logical, n) && !(accepted && mode == LOWEST_PRIORITY)) {
                accepted = true;
                if (mode == NMI) {
                    host.nonMaskable(n);
                } else {
                    accept(n, vector, level);
                }
            }
        }
        // An NMI is always edge triggered (SDM vol. 3, "Local Vector Table"): no EOI answers it.
        return accepted && mode != NMI;
    }

    private boolean reaches(int destination, int logical, int vcpu) {
        return logical != 0 ? host.logical(vcpu, destination) : destination == BROADCAST || destination == vcpu;
    }

    /** SDM vol. 3, "Interrupt Acceptance for Fixed Interrupts": one request of a vector waits, further ones fall together. */
    private void accept(int vcpu, int vector, boolean level) {
        int word = 4 * vcpu + (vector >> 6);
        long bit = 1L << vector;
        irr[word] |= bit;
        tmr[word] = level ? tmr[word] | bit : tmr[word] & ~bit;
        host.delivered(vcpu);
    }

    /** As in {@code ioapic_write_indirect}: turning to edge clears the remote IRR, opening a pin whose line is high delivers. */
    @Override
    public void redirect(int pin, long entry) {
        boolean level = (entry & ControllerState.LEVEL_TRIGGERED) != 0;
        redirection[pin] = entry & WRITABLE | (level ? redirection[pin] & ControllerState.REMOTE_IRR : 0);
        if (level && (lines & 1 << pin) != 0) {
            service(pin);
        }
    }

    /** SDM vol. 3, "Task and Processor Priorities", with TPR 0: the class, vector / 16, must be above that in service. */
    @Override
    public boolean pending(int vcpu) {
        return ControllerState.highest(irr, vcpu) >> 4 > ControllerState.highest(isr, vcpu) >> 4;
    }

    @Override
    public int acknowledge(int vcpu) {
        int vector = ControllerState.highest(irr, vcpu);
        if (vector >> 4 <= ControllerState.highest(isr, vcpu) >> 4) {
            return -1;
        }
        int word = 4 * vcpu + (vector >> 6);
        irr[word] &= ~(1L << vector);
        isr[word] |= 1L << vector;
        return vector;
    }

    /**
     * SDM vol. 3, "Signaling Interrupt Servicing Completion": the EOI of a level interrupt, which the TMR tells, is broadcast
     * and clears the remote IRR of every entry with its vector. Edge pins that lead here are told too, as KVM does for those who
     * wait for an acknowledgement ({@code kvm_ioapic_update_eoi_one}).
     */
    @Override
    public void endOfInterrupt(int vcpu) {
        int vector = ControllerState.highest(isr, vcpu);
        if (vector < 0) {
            return;
        }
        int word = 4 * vcpu + (vector >> 6);
        isr[word] &= ~(1L << vector);
        boolean broadcast = (tmr[word] & 1L << vector) != 0;
        for (int pin = 0; pin < redirection.length; pin++) {
            if (((int) redirection[pin] & 0xff) == vector && (broadcast || leadsTo(pin, vcpu))) {
                line(pin, host.acked(pin));
                if (broadcast && (redirection[pin] & ControllerState.LEVEL_TRIGGERED) != 0) {
                    redirection[pin] &= ~ControllerState.REMOTE_IRR;
                    if ((lines & 1 << pin) != 0) {
                        service(pin);
                    }
                }
            }
        }
    }

    private boolean leadsTo(int pin, int vcpu) {
        return reaches((int) (redirection[pin] >>> 56), (int) redirection[pin] >> 11 & 1, vcpu);
    }

    @Override
    public ControllerState state() {
        return new ControllerState(vcpus, irr, isr, tmr, redirection, lines);
    }
}
