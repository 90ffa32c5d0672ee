package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.snapshot.Saved;

/**
 * The ports of the two 8259s: 20H and 21H, A0H and A1H, and their edge/level registers 4D0H and 4D1H. The 8259s themselves are the machine's, with
 * its lines: a swap of controllers does not touch them.
 */
final class PicPorts implements PortDevice, Saved {
    private static final int[] COMMAND = {0x20, 0xa0};
    private static final int TRIGGER = 0x4d0;

    private final MachineInterrupts interrupts;
    private final int base;

    private PicPorts(MachineInterrupts interrupts, int base) {
        this.interrupts = interrupts;
        this.base = base;
    }

    /** Puts them into every machine whose interrupts are this bundle's. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return board.interrupts() instanceof MachineInterrupts m
                    ? Device.onPorts(new PicPorts(m, COMMAND[0]), new PicPorts(m, COMMAND[1]), new PicPorts(m, TRIGGER)) : Device.onPorts();
        }
    }

    @Override
    public int basePort() {
        return base;
    }

    @Override
    public int ports() {
        return 2;
    }

    @Override
    public void out(int offset, int width, long value, Host host) {
        int octet = (int) value & 0xff;
        if (base == TRIGGER) {
            interrupts.pics(p -> p.trigger(offset == 1, octet));
        } else {
            interrupts.pics(p -> p.out(base == COMMAND[1], offset, octet));
        }
    }

    @Override
    public long in(int offset, int width) {
        int[] octet = new int[1];
        interrupts.pics(p -> octet[0] = base == TRIGGER ? p.trigger(offset == 1) : p.in(base == COMMAND[1], offset));
        return octet[0];
    }

    /** The 8259s are saved with the machine's interrupts. */
    @Override
    public void save(DataOutput out) {
        // Nothing.
    }

    @Override
    public void restore(DataInput in) {
        // Nothing.
    }
}
