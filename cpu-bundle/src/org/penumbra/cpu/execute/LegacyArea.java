package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.api.cpu.RegisterFile;

/**
 * The first 512 bytes of the areas of FXSAVE and XSAVE as 64-bit words, and the registers behind them (SDM vol. 1, "FXSAVE Area").
 *
 * <pre>
 *  byte   0 FCW   2 FSW   4 abridged tags   6 FOP   8 FIP   16 FDP   24 MXCSR   28 its mask   32 + 16 n ST n   160 + 16 n XMM n
 * </pre>
 */
final class LegacyArea {
    static final int WORDS = 64;
    static final int X87_WORDS = 20;
    private static final int MXCSR_MASK = 0xffff;
    private static final int CONTROL_FIXED = 0x40;
    private static final long POINTER_32 = 0xffff_ffffL;

    private final Core core;
    private final RegisterFile registers;
    private final FpuRegisters fpu;

    LegacyArea(Core core) {
        this.core = core;
        this.registers = core.registers;
        this.fpu = registers.fpu;
    }

    /** XMM registers that the mode has. */
    int count() {
        return core.in64 ? 16 : 8;
    }

    /** x87 state into {@code area}, but for word 3. Instruction and data pointers are of 32 bits without REX.W; selectors are 0. */
    void x87(long[] area, boolean wide) {
        area[0] = fpu.control | (long) fpu.status << 16 | (long) fpu.used << 32 | (long) fpu.opcode << 48;
        area[1] = wide ? fpu.instruction : fpu.instruction & POINTER_32;
        area[2] = wide ? fpu.operand : fpu.operand & POINTER_32;
        for (int n = 0; n < 8; n++) {
            int r = physical(n);
            area[4 + 2 * n] = fpu.significand[r];
            area[5 + 2 * n] = fpu.exponent[r] & 0xffffL;
        }
    }

    private int physical(int n) {
        return n + (fpu.status >>> 11) & 7;
    }

    void mxcsr(long[] area) {
        area[3] = registers.mxcsr | (long) MXCSR_MASK << 32;
    }

    void xmm(long[] area) {
        System.arraycopy(registers.xmm, 0, area, X87_WORDS, 2 * count());
    }

    void restoreX87(long[] area, boolean wide) {
        fpu.control = (int) area[0] & 0x1f3f | CONTROL_FIXED;
        fpu.status = (int) (area[0] >>> 16) & 0xffff;
        fpu.used = (int) (area[0] >>> 32) & 0xff;
        fpu.opcode = (int) (area[0] >>> 48) & 0x7ff;
        fpu.instruction = wide ? area[1] : area[1] & POINTER_32;
        fpu.operand = wide ? area[2] : area[2] & POINTER_32;
        for (int n = 0; n < 8; n++) {
            int r = physical(n);
            fpu.significand[r] = area[4 + 2 * n];
            fpu.exponent[r] = (short) area[5 + 2 * n];
        }
        fpu.summarize();
    }

    void restoreMxcsr(long[] area) {
        registers.mxcsr = (int) area[3];
    }

    void restoreXmm(long[] area) {
        System.arraycopy(area, X87_WORDS, registers.xmm, 0, 2 * count());
    }

    /** MXCSR as {@code value}: #GP(0) if a reserved bit is set. */
    int allowed(int value) {
        if ((value & ~MXCSR_MASK) != 0) {
            throw core.gp0();
        }
        return value;
    }
}
