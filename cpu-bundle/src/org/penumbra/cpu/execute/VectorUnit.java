package org.penumbra.cpu.execute;

import java.util.Arrays;
import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.cpu.decode.Insn;

/**
 * Operands of vector instructions, as 64-bit words: one of an MMX register, two of an XMM register, four of a YMM register. Each instruction has
 * two sources and a result; which registers they are depends on its encoding alone, so that SSE, AVX and MMX share what computes.
 */
final class VectorUnit {
    private static final long CR0_EM = 1 << 2;
    private static final long CR0_TS = 1 << 3;
    private static final long CR0_NE = 1 << 5;
    private static final long CR4_OSFXSR = 1 << 9;
    private static final long CR4_OSXSAVE = 1 << 18;
    private static final long SSE_AND_AVX = 6;

    final Core core;
    private final long[] xmm;
    private final long[] upper;
    private final FpuRegisters fpu;
    /** First source. */
    final long[] h = new long[4];
    /** Second source, or the only one. */
    final long[] b = new long[4];
    final long[] r = new long[4];
    final long[] spare = new long[4];

    VectorUnit(Core core) {
        this.core = core;
        this.xmm = core.registers.xmm;
        this.upper = core.registers.ymm;
        this.fpu = core.registers.fpu;
    }

    /** Faults if {@code i} cannot be executed now. */
    void require(Insn i) {
        if (i.vex) {
            requireAvx();
        } else if (i.xmm) {
            requireSse();
        }
        if (i.mmx) {
            requireMmx();
        }
    }

    /** SDM vol. 3, "Providing Operating System Support for Executing SSE Instructions". */
    void requireSse() {
        if (!core.registers.paging.has4(CR4_OSFXSR) || core.registers.paging.has0(CR0_EM)) {
            throw core.ud();
        }
        requireTask();
    }

    /** SDM vol. 1, "Detection of Intel AVX", and vol. 2, "AVX Instruction Exception Classification". */
    void requireAvx() {
        boolean enabled = core.registers.paging.has4(CR4_OSXSAVE) && (core.registers.system.xcr0 & SSE_AND_AVX) == SSE_AND_AVX;
        if (!enabled || !core.protectedMode || (core.registers.rflags & Flags.VM) != 0) {
            throw core.ud();
        }
        requireTask();
    }

    /** SDM vol. 3, "Emulation of the MMX Instruction Set" and "Effect of MMX Instructions on Pending x87 Floating-Point Exceptions". */
    void requireMmx() {
        if (core.registers.paging.has0(CR0_EM)) {
            throw core.ud();
        }
        requireTask();
        if ((fpu.status & FpuRegisters.ES) != 0 && core.registers.paging.has0(CR0_NE)) {
            throw core.fault(Core.MF, 0);
        }
    }

    private void requireTask() {
        if (core.registers.paging.has0(CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
    }

    /** SDM vol. 3, "Effect of MMX Instructions on the x87 FPU Tag Word". */
    void mmxUsed() {
        fpu.status &= ~FpuRegisters.TOP;
        fpu.used = 0xff;
    }

    void load(long[] into, int register) {
        into[0] = xmm[2 * register];
        into[1] = xmm[2 * register + 1];
        into[2] = upper[2 * register];
        into[3] = upper[2 * register + 1];
    }

    /** The first source into {@link #h}; of an XMM register the lower half alone. */
    void first(Insn i) {
        if (i.mmx && !i.xmm) {
            h[0] = fpu.significand[i.hr & 7];
        } else {
            load(i, h, i.hr & 15);
        }
    }

    private void load(Insn i, long[] into, int register) {
        into[0] = xmm[2 * register];
        into[1] = xmm[2 * register + 1];
        if (i.words == 4) {
            into[2] = upper[2 * register];
            into[3] = upper[2 * register + 1];
        }
    }

    /** The second operand into {@link #b}: a register whole, of memory as many bytes as the operand has, the rest 0. */
    void second(Insn i) {
        switch (i.bk) {
            case Insn.XMM:
                load(i, b, i.br);
                break;
            case Insn.MMX:
                b[0] = fpu.significand[i.br];
                b[1] = 0;
                break;
            case Insn.MEM:
                memory(i);
                break;
            default:
                b[0] = core.b(i);
        }
    }

    private void memory(Insn i) {
        long at = aligned(i, i.bw, false);
        b[1] = b[2] = b[3] = 0;
        if (i.bw <= 8) {
            b[0] = core.memory.load(at, i.bw, core.reading);
            return;
        }
        for (int k = 0; k < i.bw >> 3; k++) {
            b[k] = core.memory.load(at + 8 * k, 8, core.reading);
        }
    }

    private long aligned(Insn i, int width, boolean write) {
        long at = core.linear(i, width, write);
        if (width >= 16 && !i.unaligned && (at & width - 1) != 0) {
            throw core.gp0();
        }
        return at;
    }

    /** {@link #r} becomes the first operand: a register, of which VEX clears the rest, or memory. */
    void result(Insn i) {
        if (i.ak == Insn.XMM) {
            put(i, i.ar);
        } else if (i.ak == Insn.MMX) {
            putMmx(i.ar, r[0]);
        } else {
            store(i);
        }
    }

    private void put(Insn i, int register) {
        xmm[2 * register] = r[0];
        xmm[2 * register + 1] = r[1];
        if (i.vex) {
            boolean wide = i.words == 4;
            upper[2 * register] = wide ? r[2] : 0;
            upper[2 * register + 1] = wide ? r[3] : 0;
        }
    }

    void putMmx(int register, long value) {
        fpu.significand[register] = value;
        fpu.exponent[register] = -1;
    }

    /** {@link #r} becomes XMM0. */
    void resultInXmm0(Insn i) {
        put(i, 0);
    }

    /** A gather's destination is {@link #r} and its mask {@link #h}; {@code done}: the mask is 0, and so is what lies above {@code count} words. */
    void gathered(Insn i, int count, boolean done) {
        for (int k = count; k < 4 && done; k++) {
            r[k] = 0;
        }
        if (done) {
            Arrays.fill(h, 0);
        }
        set(i.ar, r);
        set(i.hr, h);
    }

    private void set(int register, long[] from) {
        xmm[2 * register] = from[0];
        xmm[2 * register + 1] = from[1];
        upper[2 * register] = from[2];
        upper[2 * register + 1] = from[3];
    }

    private void store(Insn i) {
        long at = aligned(i, i.aw, true);
        if (i.aw <= 8) {
            core.memory.store(at, i.aw, r[0], core.writing);
            return;
        }
        core.memory.writable(at, i.aw, core.writing);
        for (int k = 0; k < i.aw >> 3; k++) {
            core.memory.store(at + 8 * k, 8, r[k], core.writing);
        }
    }

    /** Clears bits 255:128 of the first {@code registers}, or all bits. */
    void clear(int registers, boolean all) {
        Arrays.fill(upper, 0, 2 * registers, 0);
        if (all) {
            Arrays.fill(xmm, 0, 2 * registers, 0);
        }
    }

    /** Element {@code k} of {@code lane} bytes, zero-extended; elements are counted from word {@code word}. */
    static long get(long[] words, int word, int k, int lane) {
        int bytes = k * lane;
        return words[word + (bytes >> 3)] >>> ((bytes & 7) << 3) & -1L >>> 64 - (lane << 3);
    }

    static void set(long[] words, int word, int k, int lane, long value) {
        int bytes = k * lane;
        int shift = (bytes & 7) << 3;
        long mask = -1L >>> 64 - (lane << 3);
        int at = word + (bytes >> 3);
        words[at] = words[at] & ~(mask << shift) | (value & mask) << shift;
    }
}
