package org.penumbra.devices;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.PortDevice;

/** The I/O ports of one machine. */
final class PortSpace implements IoPorts, PortDevice.Host {
    private final List<PortDevice> devices;
    private boolean poweredOff;
    private int exitCode;

    /** @throws IllegalArgumentException if two devices claim one port */
    PortSpace(List<PortDevice> devices) {
        List<PortDevice> placed = new ArrayList<>();
        for (PortDevice d : devices) {
            for (PortDevice other : placed) {
                if (d.basePort() < other.basePort() + other.ports() && other.basePort() < d.basePort() + d.ports()) {
                    throw new IllegalArgumentException(String.format("%s and %s both claim port 0x%x",
                            d.getClass().getName(), other.getClass().getName(), Math.max(d.basePort(), other.basePort())));
                }
            }
            placed.add(d);
        }
        this.devices = placed;
    }

    @Override
    public void out(int port, int width, long value) {
        for (PortDevice d : devices) {
            int offset = port - d.basePort();
            if (offset >= 0 && offset < d.ports()) {
                d.out(offset, width, value, this);
                return;
            }
        }
    }

    @Override
    public void powerOff(int code) {
        poweredOff = true;
        exitCode = code;
    }

    @Override
    public boolean poweredOff() {
        return poweredOff;
    }

    @Override
    public int exitCode() {
        return exitCode;
    }
}
