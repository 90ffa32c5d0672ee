package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * SSE and SSE2 on XMM registers: moves, and whole registers; elements are {@link Lanes}, floating point is {@link FloatOps}. SDM vol. 2, by mnemonic.
 */
final class SseOps {
    private final Core core;
    private final long[] xmm;
    private final FloatOps floats;
    /** The second operand, or the only one that is read. */
    private long low;
    private long high;

    SseOps(Core core) {
        this.core = core;
        this.xmm = core.registers.xmm;
        this.floats = new FloatOps(core);
    }

    void execute(Insn i) {
        StateOps.requireSse(core);
        switch (i.op) {
            case MOVX:
                fetch(i, i.bk, i.br, 16);
                put(i, low, high);
                break;
            case MOVS_X:
                scalarMove(i);
                break;
            case MOVQ_X:
                fetch(i, i.bk, i.br, 8);
                if (i.ak == Insn.MEM) {
                    core.put(i, low);
                } else {
                    put(i, low, 0);
                }
                break;
            case MOVD_TO_X:
                put(i, core.b(i), 0);
                break;
            case MOVD_FROM_X:
                core.put(i, xmm[2 * i.br]);
                break;
            case MOVHL:
                xmm[2 * i.ar] = xmm[2 * i.br + 1];
                break;
            case MOVLH:
                xmm[2 * i.ar + 1] = xmm[2 * i.br];
                break;
            case MOVL_LOAD:
                fetch(i, i.bk, i.br, 8);
                xmm[2 * i.ar] = low;
                break;
            case MOVH_LOAD:
                fetch(i, i.bk, i.br, 8);
                xmm[2 * i.ar + 1] = low;
                break;
            case MOVL_STORE:
                core.put(i, xmm[2 * i.br]);
                break;
            case MOVH_STORE:
                core.put(i, xmm[2 * i.br + 1]);
                break;
            case MOVMSK:
                core.put(i, Lanes.signs(xmm[2 * i.br], i.lane) | Lanes.signs(xmm[2 * i.br + 1], i.lane) << 8 / i.lane);
                break;
            default:
                compute(i);
        }
    }

    /** Puts an operand that is read into {@link #low} and {@link #high}: a register whole, of memory {@code bytes}. */
    private void fetch(Insn i, int kind, int register, int bytes) {
        if (kind == Insn.XMM) {
            low = xmm[2 * register];
            high = xmm[2 * register + 1];
            return;
        }
        long at = core.linear(i, bytes, false);
        requireAligned(i, at, bytes);
        high = bytes == 16 ? core.memory.load(at + 8, 8, core.reading) : 0;
        low = core.memory.load(at, Math.min(bytes, 8), core.reading);
    }

    private void requireAligned(Insn i, long at, int bytes) {
        if (bytes == 16 && !i.unaligned && (at & 15) != 0) {
            throw core.gp0();
        }
    }

    private void put(Insn i, long lowHalf, long highHalf) {
        if (i.ak == Insn.XMM) {
            xmm[2 * i.ar] = lowHalf;
            xmm[2 * i.ar + 1] = highHalf;
            return;
        }
        long at = core.linear(i, 16, true);
        requireAligned(i, at, 16);
        if (i.unaligned) {
            // What is in a second page must be there before the first is written.
            core.memory.load(at + 8, 8, core.writing);
        }
        core.memory.store(at, 8, lowHalf, core.writing);
        core.memory.store(at + 8, 8, highHalf, core.writing);
    }

    /** From memory it clears the rest of the register; between registers it keeps it. */
    private void scalarMove(Insn i) {
        if (i.ak == Insn.MEM) {
            core.put(i, xmm[2 * i.br]);
            return;
        }
        fetch(i, i.bk, i.br, i.lane);
        if (i.bk == Insn.MEM) {
            put(i, low, 0);
        } else {
            xmm[2 * i.ar] = Lanes.low(xmm[2 * i.ar], low, i.lane);
        }
    }

    private void compute(Insn i) {
        switch (i.op) {
            case PSRL:
            case PSRA:
            case PSLL:
                long count = i.imm;
                if (i.bk != Insn.IMM) {
                    fetch(i, i.bk, i.br, 16);
                    count = low;
                }
                put(i, Lanes.shift(i.op, i.lane, xmm[2 * i.ar], count), Lanes.shift(i.op, i.lane, xmm[2 * i.ar + 1], count));
                break;
            case PSRLDQ:
            case PSLLDQ:
                bytesShift(i);
                break;
            case PINSRW:
                long word = core.b(i) & 0xffff;
                int to = (int) i.imm & 7;
                int shift = (to & 3) * 16;
                int half = 2 * i.ar + (to >> 2);
                xmm[half] = xmm[half] & ~(0xffffL << shift) | word << shift;
                break;
            case PEXTRW:
                core.put(i, Lanes.element(xmm[2 * i.br], xmm[2 * i.br + 1], (int) i.imm & 7, 2));
                break;
            case CVTSI:
                long from = Core.extend(core.b(i), i.bw);
                long made = i.lane == 4 ? Float.floatToRawIntBits(from) & 0xffff_ffffL : Double.doubleToRawLongBits(from);
                xmm[2 * i.ar] = Lanes.low(xmm[2 * i.ar], made, i.lane);
                break;
            case CVTTSI:
                fetch(i, i.bk, i.br, i.lane);
                core.put(i, floats.integer(i.lane == 4 ? Float.intBitsToFloat((int) low) : Double.longBitsToDouble(low), i.aw, i.rounds));
                break;
            case COMIS:
                fetch(i, i.bk, i.br, i.lane);
                floats.compare(xmm[2 * i.ar], low, i.lane);
                break;
            default:
                fetch(i, i.bk, i.br, i.bw);
                vector(i);
        }
    }

    private void bytesShift(Insn i) {
        int bits = (int) Math.min(i.imm, 16) * 8;
        long lo = xmm[2 * i.ar];
        long hi = xmm[2 * i.ar + 1];
        boolean right = i.op == Op.PSRLDQ;
        if (bits >= 64) {
            long moved = bits == 128 ? 0 : right ? hi >>> bits - 64 : lo << bits - 64;
            put(i, right ? moved : 0, right ? 0 : moved);
        } else if (bits > 0) {
            put(i, right ? lo >>> bits | hi << 64 - bits : lo << bits, right ? hi >>> bits : hi << bits | lo >>> 64 - bits);
        }
    }

    /** Two whole operands: the first a register, the second in {@link #low} and {@link #high}. */
    private void vector(Insn i) {
        long lo = xmm[2 * i.ar];
        long hi = xmm[2 * i.ar + 1];
        switch (i.op) {
            case UNPCKL:
            case UNPCKH:
                boolean upper = i.op == Op.UNPCKH;
                long a = upper ? hi : lo;
                long b = upper ? high : low;
                put(i, Lanes.interleave(a, b, i.lane, false), Lanes.interleave(a, b, i.lane, true));
                break;
            case PACKSS:
            case PACKUS:
                boolean unsigned = i.op == Op.PACKUS;
                put(i, Lanes.pack(lo, hi, i.lane, unsigned), Lanes.pack(low, high, i.lane, unsigned));
                break;
            case PSHUFD:
                put(i, Lanes.shuffle(low, high, low, high, i.imm, 4, false), Lanes.shuffle(low, high, low, high, i.imm, 4, true));
                break;
            case PSHUFLW:
                put(i, Lanes.words(low, i.imm), high);
                break;
            case PSHUFHW:
                put(i, low, Lanes.words(high, i.imm));
                break;
            case SHUF_X:
                put(i, Lanes.shuffle(lo, hi, low, high, i.imm, i.lane, false), Lanes.shuffle(lo, hi, low, high, i.imm, i.lane, true));
                break;
            case SQRT_F:
            case ADD_F:
            case MUL_F:
            case SUB_F:
            case DIV_F:
            case MIN_F:
            case MAX_F:
            case CMP_F:
                long result = floats.half(i, lo, low);
                put(i, i.scalar ? Lanes.low(lo, result, i.lane) : result, i.scalar ? hi : floats.half(i, hi, high));
                break;
            case CVT_F:
            case CVTDQ:
            case CVT_TO_DQ:
                floats.convert(i, low, high);
                put(i, i.scalar ? Lanes.low(lo, floats.low, 12 - i.lane) : floats.low, i.scalar ? hi : floats.high);
                break;
            default:
                put(i, Lanes.apply(i.op, i.lane, lo, low), Lanes.apply(i.op, i.lane, hi, high));
        }
    }
}
