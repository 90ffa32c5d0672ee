package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.MemoryDevice;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.snapshot.Saved;

/**
 * The registers of the I/O APIC as the guest reaches them (82093AA data sheet, "Register Description"); what they say is in the
 * {@link ControllerState} of the controller in charge.
 *
 * <pre>
 *  offset   0 IOREGSEL   10H IOWIN
 *  index    0 ID (27:24)   1 version (7:0), last entry (23:16)   2 arbitration   10H + 2n, 11H + 2n redirection entry n, low and high half
 * </pre>
 */
final class IoApic implements MemoryDevice, Saved {
    private static final long BASE = 0xfec0_0000L;
    private static final long BYTES = 0x400;
    private static final int WINDOW = 0x10;
    private static final int VERSION = 0x11;
    private static final int ENTRIES = 0x10;
    private static final long ALL = 0xffff_ffffL;

    private final Interrupts interrupts;
    private int index;
    private long id;

    private IoApic(Interrupts interrupts) {
        this.interrupts = interrupts;
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return new Device(List.of(), List.of(new IoApic(board.interrupts())));
        }
    }

    @Override
    public long base() {
        return BASE;
    }

    @Override
    public long bytes() {
        return BYTES;
    }

    @Override
    public synchronized long load(long offset, int width) {
        long value = offset == 0 ? index : offset == WINDOW ? read() : 0;
        return value & -1L >>> 64 - 8 * width;
    }

    private long read() {
        switch (index) {
            case 0:
            case 2:
                return id;
            case 1:
                return (ControllerState.PINS - 1L) << 16 | VERSION;
            default:
                int pin = index - ENTRIES >> 1;
                if (pin < 0 || pin >= ControllerState.PINS) {
                    return ALL;
                }
                long entry = interrupts.state().redirection()[pin];
                return (index & 1) == 0 ? entry & ALL : entry >>> 32;
        }
    }

    @Override
    public synchronized void store(long offset, int width, long value) {
        if (offset == 0) {
            index = (int) value & 0xff;
        } else if (offset == WINDOW && index == 0) {
            id = value & 0xf00_0000;
        } else if (offset == WINDOW && index >= ENTRIES && index < ENTRIES + 2 * ControllerState.PINS) {
            int pin = index - ENTRIES >> 1;
            long entry = interrupts.state().redirection()[pin];
            boolean low = (index & 1) == 0;
            interrupts.redirect(pin, low ? entry & ~ALL | value & ALL : entry & ALL | value << 32);
        }
    }

    @Override
    public synchronized void save(DataOutput out) throws IOException {
        out.writeInt(index);
        out.writeLong(id);
    }

    @Override
    public synchronized void restore(DataInput in) throws IOException {
        index = in.readInt();
        id = in.readLong();
    }
}
