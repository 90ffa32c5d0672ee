package {{package}};

import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;

/**
 * Local APICs and an I/O APIC, delivery mode fixed, physical destination. All state is in the arrays of {@link ControllerState}, so that
 * another controller can go on from it.
 */
final class {{Name}} implements InterruptController {
    private static final int BROADCAST = 0xff;
    /** Delivery status, which nobody can write, and remote IRR. */
    private static final long READ_ONLY = 1L << 12 | ControllerState.REMOTE_IRR;
    private static final long FIELDS = 0xffL << 56 | 0x1_ffffL;

    private final Host host;
    private final int vcpus;
    private final long[] irr;
    private final long[] isr;
    private final long[] tmr;
    private final long[] redirection;
    private int lines;

    {{Name}}(ControllerState state, Host host) {
        this.host = host;
        vcpus = state.vcpus();
        irr = state.irr();
        isr = state.isr();
        tmr = state.tmr();
        redirection = state.redirection();
        lines = state.lines();
    }

    @Override
    public void line(int pin, boolean high) {
        boolean rises = high && (lines >>> pin & 1) == 0;
        lines = high ? lines | 1 << pin : lines & ~(1 << pin);
        if (rises) {
            send(pin);
        }
    }

    private void send(int pin) {
        long entry = redirection[pin];
        boolean level = (entry & ControllerState.LEVEL_TRIGGERED) != 0;
        boolean waits = level && (entry & ControllerState.REMOTE_IRR) != 0;
        if ((entry & ControllerState.MASKED) == 0 && !waits
                && accept((int) (entry >>> 56), (int) entry & 0xfff, level) && level) {
            redirection[pin] |= ControllerState.REMOTE_IRR;
        }
    }

    @Override
    public void msi(long address, int data) {
        boolean level = (data >>> 15 & 1) != 0;
        boolean high = (data >>> 14 & 1) != 0;
        if (address >>> 20 == 0xfee && (high || !level)) {
            accept((int) (address >>> 12) & 0xff, data & 0x7ff | (int) address << 9 & 0x800, level);
        }
    }

    /** @param message destination mode in bit 11, delivery mode in 10:8, vector in 7:0 */
    private boolean accept(int destination, int message, boolean level) {
        int vector = message & 0xff;
        if (message >>> 8 != 0 || vector < 16 || destination >= vcpus && destination != BROADCAST) {
            return false;
        }
        for (int n = 0; n < vcpus; n++) {
            if (n == destination || destination == BROADCAST) {
                int word = 4 * n + (vector >> 6);
                irr[word] |= 1L << vector;
                tmr[word] = level ? tmr[word] | 1L << vector : tmr[word] & ~(1L << vector);
                host.delivered(n);
            }
        }
        return true;
    }

    @Override
    public void redirect(int pin, long entry) {
        boolean level = (entry & ControllerState.LEVEL_TRIGGERED) != 0;
        redirection[pin] = entry & FIELDS & ~READ_ONLY | (level ? redirection[pin] & ControllerState.REMOTE_IRR : 0);
        if (level && (lines >>> pin & 1) != 0) {
            send(pin);
        }
    }

    @Override
    public boolean pending(int vcpu) {
        return highest(irr, vcpu) >> 4 > highest(isr, vcpu) >> 4;
    }

    @Override
    public int acknowledge(int vcpu) {
        if (!pending(vcpu)) {
            return -1;
        }
        int vector = highest(irr, vcpu);
        irr[4 * vcpu + (vector >> 6)] &= ~(1L << vector);
        isr[4 * vcpu + (vector >> 6)] |= 1L << vector;
        return vector;
    }

    @Override
    public void endOfInterrupt(int vcpu) {
        int vector = highest(isr, vcpu);
        if (vector < 0) {
            return;
        }
        int word = 4 * vcpu + (vector >> 6);
        isr[word] &= ~(1L << vector);
        boolean level = (tmr[word] & 1L << vector) != 0;
        for (int pin = 0; pin < ControllerState.PINS; pin++) {
            int destination = (int) (redirection[pin] >>> 56);
            boolean mine = level || destination == vcpu || destination == BROADCAST;
            if (((int) redirection[pin] & 0xff) == vector && mine) {
                line(pin, host.acked(pin));
                if (level && (redirection[pin] & ControllerState.LEVEL_TRIGGERED) != 0) {
                    redirection[pin] &= ~ControllerState.REMOTE_IRR;
                    if ((lines >>> pin & 1) != 0) {
                        send(pin);
                    }
                }
            }
        }
    }

    @Override
    public ControllerState state() {
        return new ControllerState(vcpus, irr, isr, tmr, redirection, lines);
    }

    private static int highest(long[] bits, int vcpu) {
        for (int i = 3; i >= 0; i--) {
            if (bits[4 * vcpu + i] != 0) {
                return 64 * i + 63 - Long.numberOfLeadingZeros(bits[4 * vcpu + i]);
            }
        }
        return -1;
    }
}
