package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.Consumer;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.device.PortDeviceFactory;
import org.penumbra.api.snapshot.Saved;

/**
 * The first serial port of a PC: a 16550 (PC16550D data sheet) whose bytes reach the machine's console the moment they are written, so that its
 * transmitter is empty whenever somebody looks. Nothing arrives but what loopback mode brings. Its interrupt is GSI 4, where OUT2 lets it through and
 * the machine has controllers.
 *
 * <pre>
 *  0 RBR, THR; DLL while DLAB     1 IER: 0 received, 1 transmitter empty, 2 line, 3 modem; DLM while DLAB
 *  2 IIR: 0 nothing pending, 3:1 what is (1 transmitter empty, 2 received), 7:6 FIFOs are on; FCR: 0 FIFOs on, 1 clears what was received
 *  3 LCR: 7 DLAB   4 MCR: 0 DTR, 1 RTS, 2 OUT1, 3 OUT2, 4 loopback   5 LSR: 0 received, 1 overrun, 6:5 transmitter empty
 *  6 MSR: 4 CTS, 5 DSR, 6 RI, 7 DCD   7 scratch
 * </pre>
 */
final class SerialPort implements PortDevice, Saved {
    private static final int BASE = 0x3f8;
    private static final int GSI = 4;
    private static final int SOURCE = 3;
    private static final int IER = 1;
    private static final int IIR = 2;
    private static final int LCR = 3;
    private static final int MCR = 4;
    private static final int LSR = 5;
    private static final int MSR = 6;
    private static final int DLAB = 0x80;
    private static final int FIFO = 1;
    private static final int FIFO_CLEAR_RECEIVED = 2;
    private static final int FIFO_IS_ON = 0xc0;
    private static final int OUT2 = 8;
    private static final int LOOPBACK = 0x10;
    private static final int RECEIVED = 1;
    private static final int OVERRUN = 2;
    private static final int EMPTY = 2;
    private static final int NOTHING_PENDING = 1;
    private static final int TRANSMITTER_EMPTY = 2;
    private static final int DATA_AVAILABLE = 4;
    private static final int BOTH_EMPTY = 0x60;
    /** Carrier, data set ready, clear to send. */
    private static final int CONNECTED = 0xb0;

    private final Consumer<Boolean> line;
    private final int[] register = new int[8];
    private final int[] divisor = {12, 0};
    private int received;
    /** The transmitter became empty, and nobody has read that in IIR. */
    private boolean emptied;
    private boolean high;

    /** @param line takes the level of the interrupt line when it changes */
    private SerialPort(Consumer<Boolean> line) {
        this.line = line;
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements PortDeviceFactory {
        @Override
        public PortDevice create() {
            return new SerialPort(level -> { });
        }

        @Override
        public PortDevice create(Board board) {
            return new SerialPort(level -> board.interrupts().setLine(GSI, level, SOURCE));
        }
    }

    @Override
    public int basePort() {
        return BASE;
    }

    @Override
    public int ports() {
        return 8;
    }

    @Override
    public void out(int offset, int width, long value, Host host) {
        int octet = (int) value & 0xff;
        if (offset < 2 && (register[LCR] & DLAB) != 0) {
            divisor[offset] = octet;
            return;
        }
        switch (offset) {
            case 0:
                transmit(octet, host);
                break;
            case IER:
                // The transmitter is empty: to be told so begins with being told.
                emptied |= (octet & ~register[IER] & EMPTY) != 0;
                register[IER] = octet & 0xf;
                break;
            case IIR:
                if ((octet & FIFO_CLEAR_RECEIVED) != 0) {
                    register[LSR] = 0;
                }
                register[IIR] = octet;
                break;
            case LSR:
            case MSR:
                break;
            default:
                register[offset] = octet;
        }
        drive();
    }

    private void transmit(int octet, Host host) {
        emptied = false;
        drive();
        if ((register[MCR] & LOOPBACK) != 0) {
            register[LSR] |= (register[LSR] & RECEIVED) == 0 ? RECEIVED : OVERRUN;
            received = octet;
        } else {
            host.console(octet);
        }
        emptied = true;
    }

    @Override
    public long in(int offset, int width) {
        if (offset < 2 && (register[LCR] & DLAB) != 0) {
            return divisor[offset];
        }
        int octet;
        switch (offset) {
            case 0:
                octet = (register[LSR] & RECEIVED) != 0 ? received : 0;
                register[LSR] &= ~RECEIVED;
                break;
            case IIR:
                octet = pending();
                // Reading it takes back what it says of the transmitter.
                emptied &= octet != TRANSMITTER_EMPTY;
                octet |= (register[IIR] & FIFO) != 0 ? FIFO_IS_ON : 0;
                break;
            case LSR:
                octet = register[LSR] | BOTH_EMPTY;
                register[LSR] &= ~OVERRUN;
                break;
            case MSR:
                octet = (register[MCR] & LOOPBACK) == 0 ? CONNECTED : looped(register[MCR]);
                break;
            default:
                octet = register[offset];
        }
        drive();
        return octet;
    }

    /** In loopback mode RTS is CTS, DTR is DSR, OUT1 is RI, OUT2 is DCD. */
    private static int looped(int mcr) {
        return (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 0xc) << 4;
    }

    /** IIR without the state of the FIFOs: of what is enabled and pending, what comes first. */
    private int pending() {
        if ((register[IER] & register[LSR] & RECEIVED) != 0) {
            return DATA_AVAILABLE;
        }
        return emptied && (register[IER] & EMPTY) != 0 ? TRANSMITTER_EMPTY : NOTHING_PENDING;
    }

    private void drive() {
        boolean level = pending() != NOTHING_PENDING && (register[MCR] & OUT2) != 0;
        if (level != high) {
            high = level;
            line.accept(level);
        }
    }

    @Override
    public void save(DataOutput out) throws IOException {
        for (int r : register) {
            out.writeByte(r);
        }
        for (int d : divisor) {
            out.writeByte(d);
        }
        out.writeByte(received);
        out.writeBoolean(emptied);
        out.writeBoolean(high);
    }

    /** The line's level comes back with the lines. */
    @Override
    public void restore(DataInput in) throws IOException {
        for (int i = 0; i < register.length; i++) {
            register[i] = in.readUnsignedByte();
        }
        for (int i = 0; i < divisor.length; i++) {
            divisor[i] = in.readUnsignedByte();
        }
        received = in.readUnsignedByte();
        emptied = in.readBoolean();
        high = in.readBoolean();
    }
}
