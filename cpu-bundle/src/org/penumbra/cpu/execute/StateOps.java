package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * State of SSE and x87: FXSAVE's image, control and status words (SDM vol. 1, "FXSAVE Area"). The x87 registers themselves are kept, and no
 * instruction computes with them.
 *
 * <pre>
 *  image  0 FCW   2 FSW   4 abridged tags   6 FOP   8 FIP   16 FDP   24 MXCSR   28 its mask   32 + 16 n ST n   160 + 16 n XMM n
 * </pre>
 */
final class StateOps {
    private static final long CR0_EM = 1 << 2;
    private static final long CR0_TS = 1 << 3;
    private static final int MXCSR_MASK = 0xffff;
    private static final int INITIAL_CONTROL = 0x37f;
    private static final int EXCEPTIONS = 0x80ff;

    private final Core core;
    private final VectorUnit unit;
    private final FpuRegisters fpu;

    StateOps(Core core, VectorUnit unit) {
        this.unit = unit;
        this.core = core;
        this.fpu = core.registers.fpu;
    }

    void execute(Insn i) {
        if (i.op == Op.LDMXCSR || i.op == Op.STMXCSR) {
            if (i.vex) {
                unit.requireAvx();
            } else {
                unit.requireSse();
            }
        } else if (core.registers.paging.has0(CR0_EM | CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
        switch (i.op) {
            case FXSAVE:
                save(aligned(i, true));
                break;
            case FXRSTOR:
                restore(aligned(i, false));
                break;
            case LDMXCSR:
                core.registers.mxcsr = allowed((int) core.a(i));
                break;
            case STMXCSR:
                core.put(i, core.registers.mxcsr);
                break;
            case FNINIT:
                fpu.control = INITIAL_CONTROL;
                fpu.status = 0;
                fpu.used = 0;
                fpu.opcode = 0;
                fpu.instruction = 0;
                fpu.operand = 0;
                break;
            case FNCLEX:
                fpu.status &= ~EXCEPTIONS;
                break;
            case FLDCW:
                fpu.control = (int) core.a(i) | 0x40;
                break;
            case FNSTCW:
                core.put(i, fpu.control);
                break;
            case FNSTSW:
                if (i.ak == Insn.MEM) {
                    core.put(i, fpu.status);
                } else {
                    core.write(0, 2, fpu.status);
                }
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    private int allowed(int mxcsr) {
        if ((mxcsr & ~MXCSR_MASK) != 0) {
            throw core.gp0();
        }
        return mxcsr;
    }

    private long aligned(Insn i, boolean write) {
        long at = core.linear(i, 512, write);
        if ((at & 15) != 0) {
            throw core.gp0();
        }
        return at;
    }

    private int registers() {
        return core.in64 ? 16 : 8;
    }

    private void save(long at) {
        // The last byte first, so that a fault on a second page comes before anything is stored.
        core.memory.load(at + 504, 8, core.writing);
        put(at, fpu.control | (long) fpu.status << 16 | (long) fpu.used << 32 | (long) fpu.opcode << 48);
        put(at + 8, fpu.instruction);
        put(at + 16, fpu.operand);
        put(at + 24, core.registers.mxcsr | (long) MXCSR_MASK << 32);
        for (int n = 0; n < 8; n++) {
            int r = n + (fpu.status >>> 11 & 7) & 7;
            put(at + 32 + 16 * n, fpu.significand[r]);
            put(at + 40 + 16 * n, fpu.exponent[r] & 0xffffL);
        }
        for (int n = 0; n < 2 * registers(); n++) {
            put(at + 160 + 8 * n, core.registers.xmm[n]);
        }
    }

    private void restore(long at) {
        long[] image = new long[64];
        for (int n = 0; n < 20 + 2 * registers(); n++) {
            image[n] = core.memory.load(at + 8 * n, 8, core.reading);
        }
        core.registers.mxcsr = allowed((int) image[3]);
        fpu.control = (int) image[0] & 0xffff | 0x40;
        fpu.status = (int) (image[0] >>> 16) & 0xffff;
        fpu.used = (int) (image[0] >>> 32) & 0xff;
        fpu.opcode = (int) (image[0] >>> 48) & 0x7ff;
        fpu.instruction = image[1];
        fpu.operand = image[2];
        for (int n = 0; n < 8; n++) {
            int r = n + (fpu.status >>> 11 & 7) & 7;
            fpu.significand[r] = image[4 + 2 * n];
            fpu.exponent[r] = (short) image[5 + 2 * n];
        }
        System.arraycopy(image, 20, core.registers.xmm, 0, 2 * registers());
    }

    private void put(long at, long value) {
        core.memory.store(at, 8, value, core.writing);
    }
}
