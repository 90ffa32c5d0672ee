package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * State of the x87 FPU as a whole: control and status words, the environment (SDM vol. 1, "Saving the x87 FPU's State with FSTENV/FNSTENV and
 * FSAVE/FNSAVE"). Selectors of the pointers are 0, as CPUID says they are.
 *
 * <pre>
 *  32-bit  0 FCW   4 FSW   8 tags   12 FIP   18 opcode   20 FDP    28 bytes, after which FSAVE has ST0 … ST7 of 10 bytes each
 *  16-bit  0 FCW   2 FSW   4 tags    6 FIP    8 opcode   10 FDP    14 bytes; opcode in real mode alone
 * </pre>
 */
final class X87Control {
    private static final int CONTROL = 0x1f3f;
    private static final int CONTROL_FIXED = 0x40;
    private static final int CLEARED = FpuRegisters.BUSY | FpuRegisters.ES | 1 << 6 | FpuRegisters.EXCEPTIONS;

    private final Core core;
    private final X87Unit unit;
    private final FpuRegisters fpu;
    private final Real register = new Real();
    private final long[] words = new long[27];

    X87Control(X87Unit unit) {
        this.core = unit.core;
        this.unit = unit;
        this.fpu = unit.fpu;
    }

    void execute(Insn i) {
        switch (i.op) {
            case FWAIT:
                unit.await();
                return;
            case FNINIT:
                unit.requireTask();
                fpu.reset();
                return;
            case FNCLEX:
                unit.requireTask();
                fpu.status &= ~CLEARED;
                return;
            case FNSTCW:
                unit.requireTask();
                core.put(i, fpu.control);
                return;
            case FNSTSW:
                unit.requireTask();
                if (i.ak == Insn.MEM) {
                    core.put(i, fpu.status);
                } else {
                    core.write(0, 2, fpu.status);
                }
                return;
            case FNSTENV:
            case FNSAVE:
                unit.requireTask();
                save(i, i.op == Op.FNSAVE);
                return;
            default:
        }
        unit.requireTask();
        unit.pending();
        switch (i.op) {
            case FLDCW:
                fpu.control = (int) core.a(i) & CONTROL | CONTROL_FIXED;
                fpu.summarize();
                break;
            case FLDENV:
            case FRSTOR:
                restore(i, i.op == Op.FRSTOR);
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    /** Two bits for each physical register: valid, zero, special, empty. */
    private int tags() {
        int tags = 0;
        for (int p = 0; p < 8; p++) {
            register.extended(fpu.exponent[p] & 0xffff, fpu.significand[p]);
            int tag = (fpu.used >>> p & 1) == 0 ? 3 : register.kind == Real.ZERO ? 1 : register.kind == Real.FINITE && !register.denormal ? 0 : 2;
            tags |= tag << 2 * p;
        }
        return tags;
    }

    private void save(Insn i, boolean registers) {
        int width = i.size == 2 ? 2 : 4;
        long at = core.linear(i, 7 * width + (registers ? 80 : 0), true);
        boolean real = !core.protectedMode;
        words[0] = fpu.control | (width == 4 ? 0xffff_0000L : 0);
        words[1] = fpu.status | (width == 4 ? 0xffff_0000L : 0);
        words[2] = tags() | (width == 4 ? 0xffff_0000L : 0);
        words[3] = real && width == 4 ? fpu.instruction & 0xffff : fpu.instruction;
        words[4] = real ? fpu.opcode | (fpu.instruction >>> 16 & (width == 2 ? 15 : 0xffff)) << 12 : width == 4 ? (long) fpu.opcode << 16 : 0;
        words[5] = real && width == 4 ? fpu.operand & 0xffff : fpu.operand;
        words[6] = real ? (fpu.operand >>> 16 & (width == 2 ? 15 : 0xffff)) << 12 : 0;
        core.memory.load(at + 7 * width + (registers ? 79 : -1), 1, core.writing);
        for (int n = 0; n < 7; n++) {
            core.memory.store(at + n * width, width, words[n] & (1L << 8 * width) - 1, core.writing);
        }
        for (int n = 0; n < 8 && registers; n++) {
            core.memory.store(at + 7 * width + 10 * n, 8, unit.significand(n), core.writing);
            core.memory.store(at + 7 * width + 10 * n + 8, 2, unit.top(n), core.writing);
        }
        if (registers) {
            fpu.reset();
        } else {
            // All exceptions are masked from now on, so that none is pending.
            fpu.control |= FpuRegisters.EXCEPTIONS;
            fpu.summarize();
        }
    }

    private void restore(Insn i, boolean registers) {
        int width = i.size == 2 ? 2 : 4;
        long at = core.linear(i, 7 * width + (registers ? 80 : 0), false);
        for (int n = 0; n < 7; n++) {
            words[n] = core.memory.load(at + n * width, width, core.reading);
        }
        for (int n = 0; n < 8 && registers; n++) {
            words[7 + 2 * n] = core.memory.load(at + 7 * width + 10 * n, 8, core.reading);
            words[8 + 2 * n] = core.memory.load(at + 7 * width + 10 * n + 8, 2, core.reading);
        }
        boolean real = !core.protectedMode;
        fpu.control = (int) words[0] & CONTROL | CONTROL_FIXED;
        fpu.status = (int) words[1] & 0xffff;
        fpu.used = 0;
        for (int p = 0; p < 8; p++) {
            fpu.used |= (words[2] >>> 2 * p & 3) == 3 ? 0 : 1 << p;
        }
        fpu.instruction = words[3] | (real ? (words[4] >>> 12) << 16 : 0);
        fpu.operand = words[5] | (real ? (words[6] >>> 12) << 16 : 0);
        fpu.opcode = (int) (real ? words[4] : width == 4 ? words[4] >>> 16 : 0) & 0x7ff;
        for (int n = 0; n < 8 && registers; n++) {
            int p = (fpu.status >>> 11) + n & 7;
            fpu.significand[p] = words[7 + 2 * n];
            fpu.exponent[p] = (short) words[8 + 2 * n];
        }
        fpu.summarize();
    }
}
