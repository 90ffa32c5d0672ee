package org.penumbra.cpu.execute;

import java.util.Arrays;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Saving and restoring state: FXSAVE, XSAVE and their kin, MXCSR (SDM vol. 1, "Managing State Using the XSAVE Feature Set"). A component counts as in
 * use when it is not as after a reset.
 *
 * <pre>
 *  header at 512   0 XSTATE_BV   8 XCOMP_BV   16 to 63 reserved
 * </pre>
 */
final class StateOps {
    private static final long CR0_EM = 1 << 2;
    private static final long CR0_TS = 1 << 3;
    private static final long CR4_OSXSAVE = 1 << 18;
    private static final int AREA_WORDS = (ExtendedState.PKRU_AT + ExtendedState.PKRU_BYTES) / 8;
    private static final int HEADER_WORD = ExtendedState.HEADER / 8;
    private static final int AVX_WORD = ExtendedState.AVX_AT / 8;
    private static final int PKRU_WORD = ExtendedState.PKRU_AT / 8;

    private final Core core;
    private final VectorUnit unit;
    private final RegisterFile registers;
    private final FpuRegisters fpu;
    private final LegacyArea legacy;
    private final long[] area = new long[AREA_WORDS];

    StateOps(Core core, VectorUnit unit) {
        this.core = core;
        this.unit = unit;
        this.registers = core.registers;
        this.fpu = registers.fpu;
        this.legacy = new LegacyArea(core);
    }

    void execute(Insn i) {
        switch (i.op) {
            case LDMXCSR:
            case STMXCSR:
                mxcsr(i);
                break;
            case FXSAVE:
                requireFpu();
                fxsave(aligned(i, 512, 16, true), i.size == 8);
                break;
            case FXRSTOR:
                requireFpu();
                fxrstor(aligned(i, 512, 16, false), i.size == 8);
                break;
            case XSAVE:
            case XSAVEOPT:
                xsave(i);
                break;
            case XRSTOR:
                xrstor(i);
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    private void mxcsr(Insn i) {
        if (i.vex) {
            unit.requireAvx();
        } else {
            unit.requireSse();
        }
        if (i.op == Op.LDMXCSR) {
            registers.mxcsr = legacy.allowed((int) core.a(i));
        } else {
            core.put(i, registers.mxcsr);
        }
    }

    private void requireFpu() {
        if (registers.paging.has0(CR0_EM | CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
    }

    private long aligned(Insn i, int bytes, int boundary, boolean write) {
        long at = core.linear(i, bytes, write);
        if ((at & boundary - 1) != 0) {
            throw core.gp0();
        }
        return at;
    }

    private void fxsave(long at, boolean wide) {
        legacy.x87(area, wide);
        legacy.mxcsr(area);
        legacy.xmm(area);
        core.memory.writable(at, 512, core.writing);
        store(at, 0, LegacyArea.X87_WORDS + 2 * legacy.count());
    }

    private void fxrstor(long at, boolean wide) {
        load(at, 0, LegacyArea.X87_WORDS + 2 * legacy.count());
        legacy.allowed((int) area[3]);
        legacy.restoreX87(area, wide);
        legacy.restoreMxcsr(area);
        legacy.restoreXmm(area);
    }

    /** The components that EDX:EAX asks for and XCR0 has. */
    private long requested() {
        if (!registers.paging.has4(CR4_OSXSAVE)) {
            throw core.ud();
        }
        if (registers.paging.has0(CR0_TS)) {
            throw core.fault(Core.NM, 0);
        }
        return (core.gpr[2] << 32 | core.gpr[0] & 0xffff_ffffL) & registers.system.xcr0;
    }

    private void xsave(Insn i) {
        long features = requested();
        int bytes = ExtendedState.bytes(features);
        long at = aligned(i, bytes, 64, true);
        long used = used() & features;
        long written = i.op == Op.XSAVEOPT ? used : features;
        long header = core.memory.load(at + ExtendedState.HEADER, 8, core.writing);
        core.memory.writable(at, bytes, core.writing);
        if ((written & ExtendedState.X87) != 0) {
            legacy.x87(area, i.size == 8);
            store(at, 0, 3);
            store(at, 4, LegacyArea.X87_WORDS);
        }
        if ((features & (ExtendedState.SSE | ExtendedState.AVX)) != 0) {
            legacy.mxcsr(area);
            store(at, 3, 4);
        }
        if ((written & ExtendedState.SSE) != 0) {
            legacy.xmm(area);
            store(at, LegacyArea.X87_WORDS, LegacyArea.X87_WORDS + 2 * legacy.count());
        }
        if ((written & ExtendedState.AVX) != 0) {
            System.arraycopy(registers.ymm, 0, area, AVX_WORD, 2 * legacy.count());
            store(at, AVX_WORD, AVX_WORD + 2 * legacy.count());
        }
        if ((written & ExtendedState.PKRU) != 0) {
            area[PKRU_WORD] = registers.paging.pkru() & 0xffff_ffffL;
            store(at, PKRU_WORD, PKRU_WORD + 1);
        }
        core.memory.store(at + ExtendedState.HEADER, 8, header & ~features | used, core.writing);
    }

    /** XINUSE. */
    private long used() {
        boolean x87 = fpu.control != FpuRegisters.INITIAL_CONTROL || fpu.status != 0 || fpu.used != 0 || fpu.opcode != 0 || fpu.instruction != 0
                || fpu.operand != 0 || !zero(fpu.significand, 8);
        return (x87 ? ExtendedState.X87 : 0) | (zero(registers.xmm, 2 * legacy.count()) ? 0 : ExtendedState.SSE)
                | (zero(registers.ymm, 2 * legacy.count()) ? 0 : ExtendedState.AVX) | (registers.paging.pkru() == 0 ? 0 : ExtendedState.PKRU);
    }

    private static boolean zero(long[] words, int count) {
        long any = 0;
        for (int k = 0; k < count; k++) {
            any |= words[k];
        }
        return any == 0;
    }

    private void xrstor(Insn i) {
        long features = requested();
        int bytes = ExtendedState.bytes(features);
        long at = aligned(i, bytes, 64, false);
        load(at, HEADER_WORD, HEADER_WORD + 3);
        long present = area[HEADER_WORD];
        if ((present & ~registers.system.xcr0) != 0 || area[HEADER_WORD + 1] != 0 || area[HEADER_WORD + 2] != 0) {
            throw core.gp0();
        }
        long loaded = features & present;
        boolean vectors = (features & (ExtendedState.SSE | ExtendedState.AVX)) != 0;
        if ((loaded & ExtendedState.X87) != 0) {
            load(at, 0, LegacyArea.X87_WORDS);
        }
        if (vectors) {
            load(at, 3, 4);
            legacy.allowed((int) area[3]);
        }
        if ((loaded & ExtendedState.SSE) != 0) {
            load(at, LegacyArea.X87_WORDS, LegacyArea.X87_WORDS + 2 * legacy.count());
        }
        if ((loaded & ExtendedState.AVX) != 0) {
            load(at, AVX_WORD, AVX_WORD + 2 * legacy.count());
        }
        if ((loaded & ExtendedState.PKRU) != 0) {
            load(at, PKRU_WORD, PKRU_WORD + 1);
        }
        if ((features & ExtendedState.PKRU) != 0) {
            keys((loaded & ExtendedState.PKRU) != 0 ? (int) area[PKRU_WORD] : 0);
        }
        restore(features, loaded, i.size == 8);
        if (vectors) {
            legacy.restoreMxcsr(area);
        }
    }

    /** What is asked for and not in the area becomes as after a reset. */
    private void restore(long features, long loaded, boolean wide) {
        if ((loaded & ExtendedState.X87) != 0) {
            legacy.restoreX87(area, wide);
        } else if ((features & ExtendedState.X87) != 0) {
            fpu.reset();
            Arrays.fill(fpu.significand, 0);
            Arrays.fill(fpu.exponent, (short) 0);
        }
        int words = 2 * legacy.count();
        if ((loaded & ExtendedState.SSE) != 0) {
            legacy.restoreXmm(area);
        } else if ((features & ExtendedState.SSE) != 0) {
            Arrays.fill(registers.xmm, 0, words, 0);
        }
        if ((loaded & ExtendedState.AVX) != 0) {
            System.arraycopy(area, AVX_WORD, registers.ymm, 0, words);
        } else if ((features & ExtendedState.AVX) != 0) {
            Arrays.fill(registers.ymm, 0, words, 0);
        }
    }

    /** PKRU counts for translation, but while CR4.PKE = 0. */
    private void keys(int value) {
        if (registers.paging.has4(ControlBits.CR4_PKE)) {
            int outcome = core.cpu.wrpkru(value);
            if (outcome != Outcome.DONE) {
                throw core.trap(outcome);
            }
        } else {
            registers.paging = registers.paging.withPkru(value);
        }
        core.pagingChanged.run();
    }

    private void store(long at, int from, int to) {
        for (int n = from; n < to; n++) {
            core.memory.store(at + 8 * n, 8, area[n], core.writing);
        }
    }

    private void load(long at, int from, int to) {
        for (int n = from; n < to; n++) {
            area[n] = core.memory.load(at + 8 * n, 8, core.reading);
        }
    }
}
