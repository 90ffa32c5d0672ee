package org.penumbra.devices.timer;

import java.io.DataInput;
import java.io.DataOutput;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.snapshot.Saved;

/**
 * The power management timer (ACPI Specification, "Power Management Timer"): 24 bits at 3.579545 MHz, at port 608H, where the firmware of QEMU's PC
 * puts it. It can be read only; its overflow raises nothing.
 */
final class PmTimer implements PortDevice, Saved {
    private static final int BASE = 0x608;
    private static final long MASK = 0xff_ffff;

    private final Board board;
    private final Ticks ticks = new Ticks(3_579_545);

    private PmTimer(Board board) {
        this.board = board;
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return Device.onPorts(new PmTimer(board));
        }
    }

    @Override
    public int basePort() {
        return BASE;
    }

    @Override
    public int ports() {
        return 4;
    }

    @Override
    public void out(int offset, int width, long value, Host host) {
        // Read-only.
    }

    @Override
    public long in(int offset, int width) {
        return (ticks.in(board.timeline().now()) & MASK) >>> 8 * offset & -1L >>> 64 - 8 * width;
    }

    /** It has no state but guest time. */
    @Override
    public void save(DataOutput out) {
        // Nothing.
    }

    @Override
    public void restore(DataInput in) {
        // Nothing.
    }
}
