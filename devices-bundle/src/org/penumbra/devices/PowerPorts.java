package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.snapshot.Saved;

/**
 * The ports by which software of a PC switches it off or resets it. Either ends the machine, with exit code 0: there is no firmware that would
 * begin anew.
 *
 * <pre>
 *  64H   keyboard controller: command FEH pulses the reset line; reads say that nothing waits and commands are taken
 *  92H   system control A: bit 0 resets, bit 1 is A20, which is always on
 *  604H  ACPI PM1a control: SLP_EN, bit 13 (ACPI specification, "PM1 Control Registers"); every sleeping state is "off"
 *  CF9H  reset control of PIIX and ICH: bit 2 resets
 * </pre>
 */
final class PowerPorts implements PortDevice, Saved {
    private static final int SLEEP_ENABLE = 1 << 13;
    private static final int PULSE_RESET = 0xfe;
    private static final int A20 = 2;

    private final int port;
    private final int width;

    private PowerPorts(int port, int width) {
        this.port = port;
        this.width = width;
    }

    /** Puts them into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return Device.onPorts(new PowerPorts(0x64, 1), new PowerPorts(0x92, 1), new PowerPorts(0x604, 2), new PowerPorts(0xcf9, 1));
        }
    }

    @Override
    public int basePort() {
        return port;
    }

    @Override
    public int ports() {
        return width;
    }

    @Override
    public void out(int offset, int bytes, long value, Host host) {
        if (ends(value << 8 * offset)) {
            host.powerOff(0);
        }
    }

    private boolean ends(long value) {
        switch (port) {
            case 0x64:
                return (value & 0xff) == PULSE_RESET;
            case 0x92:
                return (value & 1) != 0;
            case 0x604:
                return (value & SLEEP_ENABLE) != 0;
            default:
                return (value & 4) != 0;
        }
    }

    @Override
    public long in(int offset, int bytes) {
        return port == 0x92 ? A20 : 0;
    }

    /** It has no state: that the machine is off is the machine's. */
    @Override
    public void save(DataOutput out) {
        // Nothing.
    }

    @Override
    public void restore(DataInput in) {
        // Nothing.
    }
}
