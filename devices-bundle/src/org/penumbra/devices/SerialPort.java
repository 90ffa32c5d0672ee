package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.device.PortDeviceFactory;
import org.penumbra.api.snapshot.Saved;

/**
 * The first serial port of a PC: a 16550 whose transmitter is always ready and whose bytes reach the machine's console. It receives nothing and
 * asks for no interrupts.
 *
 * <pre>
 *  0 THR, DLL while DLAB   1 IER, DLM while DLAB   2 IIR/FCR   3 LCR (bit 7: DLAB)   4 MCR   5 LSR   6 MSR   7 scratch
 * </pre>
 */
final class SerialPort implements PortDevice, Saved {
    private static final int BASE = 0x3f8;
    private static final int DLAB = 0x80;
    /** No interrupt is pending; FIFOs are on. */
    private static final int NOTHING_PENDING = 0xc1;
    /** Transmitter holding register and transmitter empty. */
    private static final int TRANSMITTER_EMPTY = 0x60;
    /** Carrier, data set ready, clear to send. */
    private static final int CONNECTED = 0xb0;

    private final int[] register = new int[8];
    private final int[] divisor = {12, 0};

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements PortDeviceFactory {
        @Override
        public PortDevice create() {
            return new SerialPort();
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
        if (offset < 2 && (register[3] & DLAB) != 0) {
            divisor[offset] = octet;
        } else if (offset == 0) {
            host.console(octet);
        } else {
            register[offset] = octet;
        }
    }

    @Override
    public long in(int offset, int width) {
        switch (offset) {
            case 0:
            case 1:
                return (register[3] & DLAB) != 0 ? divisor[offset] : offset == 0 ? 0 : register[1];
            case 2:
                return NOTHING_PENDING;
            case 5:
                return TRANSMITTER_EMPTY;
            case 6:
                return CONNECTED;
            default:
                return register[offset];
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
    }

    @Override
    public void restore(DataInput in) throws IOException {
        for (int i = 0; i < register.length; i++) {
            register[i] = in.readUnsignedByte();
        }
        for (int i = 0; i < divisor.length; i++) {
            divisor[i] = in.readUnsignedByte();
        }
    }
}
