package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.VectorUnit.get;
import static org.penumbra.cpu.execute.VectorUnit.set;

import org.penumbra.api.cpu.Segments;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** Memory operands that a mask chooses elements of, gathers, and instructions that clear registers. SDM vol. 2, by mnemonic. */
final class MaskedOps {
    private final VectorUnit unit;
    private final Core core;
    private final long[] h;
    private final long[] b;
    private final long[] r;

    MaskedOps(VectorUnit unit) {
        this.unit = unit;
        this.core = unit.core;
        this.h = unit.h;
        this.b = unit.b;
        this.r = unit.r;
    }

    void execute(Insn i) {
        switch (i.op) {
            case EMMS:
                unit.requireMmx();
                unit.mmxUsed();
                core.registers.fpu.used = 0;
                break;
            case VZEROUPPER:
            case VZEROALL:
                unit.clear(core.in64 ? 16 : 8, i.op == Op.VZEROALL);
                break;
            case VMASK_LOAD:
                unit.first(i);
                read(i);
                break;
            case VMASK_STORE:
                unit.first(i);
                unit.second(i);
                write(i, core.linear(i, i.aw, true), h, b, i.words * 8 / i.lane);
                break;
            case MASKMOV:
                unit.second(i);
                System.arraycopy(b, 0, h, 0, 4);
                unit.load(b, i.ar);
                if (i.mmx) {
                    b[0] = core.registers.fpu.significand[i.ar];
                }
                long to = Core.truncate(core.gpr[7], i.addressSize);
                write(i, core.linear(i.segment, to, 8 * i.words, true), h, b, i.words * 8);
                break;
            default:
                gather(i);
        }
    }

    private static boolean chosen(long[] mask, int k, int lane) {
        return Core.extend(get(mask, 0, k, lane), lane) < 0;
    }

    private void read(Insn i) {
        long at = core.linear(i, i.bw, false);
        for (int k = 0; k < i.words * 8 / i.lane; k++) {
            set(r, 0, k, i.lane, chosen(h, k, i.lane) ? core.memory.load(at + k * i.lane, i.lane, core.reading) : 0);
        }
        unit.result(i);
    }

    private void write(Insn i, long at, long[] mask, long[] from, int count) {
        boolean split = (at & 4095) + (long) count * i.lane > 4096;
        for (int k = 0; k < count && split; k++) {
            if (chosen(mask, k, i.lane)) {
                core.memory.load(at + k * i.lane, i.lane, core.writing);
            }
        }
        for (int k = 0; k < count; k++) {
            if (chosen(mask, k, i.lane)) {
                core.memory.store(at + k * i.lane, i.lane, get(from, 0, k, i.lane), core.writing);
            }
        }
    }

    /** Elements that are loaded stay loaded, and their mask cleared, if a later one faults. */
    private void gather(Insn i) {
        if (i.ar == i.hr || i.ar == i.index || i.hr == i.index) {
            throw core.ud();
        }
        int indexLane = i.op == Op.VGATHER_D ? 4 : 8;
        int count = i.words * 8 / Math.max(indexLane, i.lane);
        unit.load(b, i.index);
        unit.load(r, i.ar);
        unit.load(h, i.hr);
        boolean done = false;
        int k = 0;
        try {
            for (; k < count; k++) {
                if (chosen(h, k, i.lane)) {
                    long offset = core.offset(i, Core.extend(get(b, 0, k, indexLane), indexLane));
                    set(r, 0, k, i.lane, core.memory.load(core.linear(i.segment, offset, i.lane, false), i.lane, core.reading));
                }
                set(h, 0, k, i.lane, 0);
            }
            done = true;
        } finally {
            unit.gathered(i, count * i.lane / 8, done);
        }
    }
}
