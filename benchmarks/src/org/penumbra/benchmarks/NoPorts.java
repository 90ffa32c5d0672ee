package org.penumbra.benchmarks;

import org.penumbra.api.device.IoPorts;

/** Nothing is at any port. */
final class NoPorts implements IoPorts {
    @Override
    public void out(int port, int width, long value) {
        throw new IllegalStateException("no benchmark writes to a port");
    }

    @Override
    public boolean poweredOff() {
        return false;
    }

    @Override
    public int exitCode() {
        return 0;
    }
}
