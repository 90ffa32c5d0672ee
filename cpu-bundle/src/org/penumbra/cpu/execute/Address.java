package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;

/** Where the memory operand of an instruction is, as its encoding says: registers or -1, shift of the index, segment. */
record Address(int segment, int base, int index, int scale, long disp, int bytes) {
    static Address of(Insn i) {
        return new Address(i.segment, i.base, i.index, i.scale, i.disp, i.addressSize);
    }

    /** Effective address. */
    long offset(Core core) {
        return core.offset(base, index, scale, disp, bytes);
    }

    /** Linear address of {@code width} bytes, which are to be read or written. */
    long linear(Core core, int width, boolean write) {
        return core.linear(segment, offset(core), width, write);
    }
}
