package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.device.PortDeviceFactory;
import org.penumbra.api.snapshot.Saved;

/**
 * The debug-exit device: a write to port 0xf4 powers the machine off with the value written. Test kernels use it to report how
 * they ended; QEMU's {@code isa-debug-exit} is its model, without that device's {@code value << 1 | 1}, which is about the exit
 * code of a process.
 */
final class DebugExit implements PortDevice, Saved {
    static final int PORT = 0xf4;

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements PortDeviceFactory {
        @Override
        public PortDevice create() {
            return new DebugExit();
        }
    }

    @Override
    public int basePort() {
        return PORT;
    }

    @Override
    public int ports() {
        return 4;
    }

    @Override
    public void out(int offset, int width, long value, Host host) {
        host.powerOff((int) value);
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
