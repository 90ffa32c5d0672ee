package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.Segments;

/** I/O instructions' way to the processor: with the I/O permission bitmap where IOPL does not let them (SDM vol. 1, "I/O Permission Bit Map"). */
final class Ports {
    /** Offset of the field of a TSS that says where its bitmap is. */
    private static final int MAP_BASE = 102;

    private final Core core;

    Ports(Core core) {
        this.core = core;
    }

    /** OUT, an {@link org.penumbra.api.cpu.Outcome}; #GP(0) if the bitmap refuses. */
    int out(int port, int width, long value) {
        core.registers.system.portsPermitted = permitted(port, width);
        core.breakpoints.port(port, width);
        try {
            return core.cpu.out(port, width, value);
        } finally {
            core.registers.system.portsPermitted = false;
        }
    }

    /** IN, likewise. */
    int in(int port, int width) {
        core.registers.system.portsPermitted = permitted(port, width);
        core.breakpoints.port(port, width);
        try {
            return core.cpu.in(port, width);
        } finally {
            core.registers.system.portsPermitted = false;
        }
    }

    /** True if the bitmap permits what IOPL may not; in virtual-8086 mode IOPL does not matter. */
    private boolean permitted(int port, int width) {
        if (!core.protectedMode || !core.virtual86 && core.registers.cpl <= core.iopl()) {
            return false;
        }
        Segments s = core.segments;
        long limit = s.limit[Segments.TR];
        if ((s.rights[Segments.TR] & 8) == 0 || limit < MAP_BASE + 1) {
            throw core.gp0();
        }
        long at = core.memory.system(s.base[Segments.TR] + MAP_BASE, 2) + (port >> 3);
        if (at + 1 > limit) {
            throw core.gp0();
        }
        long bits = core.memory.system(s.base[Segments.TR] + at, 2) >>> (port & 7);
        if ((bits & (1L << width) - 1) != 0) {
            throw core.gp0();
        }
        return true;
    }
}
