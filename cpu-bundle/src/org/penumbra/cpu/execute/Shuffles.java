package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.VectorUnit.get;
import static org.penumbra.cpu.execute.VectorUnit.set;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Instructions that move or combine elements across places. Most of them work within 128 bits (64 of an MMX register) and are repeated for each;
 * {@code at} is the word where those begin. SDM vol. 2, by mnemonic.
 */
final class Shuffles {
    private final VectorUnit unit;
    private final long[] h;
    private final long[] b;
    private final long[] r;

    Shuffles(VectorUnit unit) {
        this.unit = unit;
        this.h = unit.h;
        this.b = unit.b;
        this.r = unit.r;
    }

    void execute(Insn i) {
        switch (i.op) {
            case PMOVSX:
            case PMOVZX:
                widen(i);
                break;
            case VBROADCAST:
                for (int k = 0; k < i.words; k++) {
                    r[k] = i.lane == 16 ? b[k & 1] : get(b, 0, 0, i.lane) * Long.divideUnsigned(-1, Lanes.mask(i.lane));
                }
                break;
            case VINSERT128:
                System.arraycopy(h, 0, r, 0, 4);
                System.arraycopy(b, 0, r, (int) (i.imm & 1) * 2, 2);
                break;
            case VEXTRACT128:
                System.arraycopy(b, (int) (i.imm & 1) * 2, r, 0, 2);
                r[2] = r[3] = 0;
                break;
            case VPERM2_128:
                half(0, (int) i.imm);
                half(2, (int) i.imm >> 4);
                break;
            case VPERM:
                for (int k = 0; k < 8; k++) {
                    set(r, 0, k, 4, get(b, 0, (int) get(h, 0, k, 4) & 7, 4));
                }
                break;
            case VPERM_I:
                for (int k = 0; k < 4; k++) {
                    r[k] = b[(int) i.imm >>> 2 * k & 3];
                }
                break;
            case BLEND:
                for (int k = 0; k < i.words * 8 / i.lane; k++) {
                    set(r, 0, k, i.lane, get((i.imm >>> (k & 7) & 1) != 0 ? b : h, 0, k, i.lane));
                }
                break;
            case BLENDV:
                blend(i);
                break;
            case PINSR:
                System.arraycopy(h, 0, r, 0, 4);
                int lane = i.lane == 0 ? i.bw : i.lane;
                set(r, 0, (int) i.imm & i.words * 8 / lane - 1, lane, b[0]);
                break;
            default:
                int bytes = Math.min(i.words * 8, 16);
                for (int at = 0; at < i.words; at += 2) {
                    within(i, at, bytes, bytes / Math.max(i.lane, 1));
                }
        }
    }

    private void widen(Insn i) {
        int to = i.lane * i.words * 8 / i.bw;
        for (int k = 0; k < i.words * 8 / to; k++) {
            long e = get(b, 0, k, i.lane);
            set(r, 0, k, to, i.op == Op.PMOVSX ? Core.extend(e, i.lane) : e);
        }
    }

    private void half(int at, int selector) {
        long[] from = (selector & 2) == 0 ? h : b;
        int word = (selector & 1) * 2;
        r[at] = (selector & 8) != 0 ? 0 : from[word];
        r[at + 1] = (selector & 8) != 0 ? 0 : from[word + 1];
    }

    /** The mask is XMM0 without VEX. */
    private void blend(Insn i) {
        unit.load(r, i.vex ? (int) i.imm : 0);
        for (int k = 0; k < i.words * 8 / i.lane; k++) {
            boolean second = Core.extend(get(r, 0, k, i.lane), i.lane) < 0;
            set(r, 0, k, i.lane, get(second ? b : h, 0, k, i.lane));
        }
    }

    private void within(Insn i, int at, int bytes, int count) {
        int imm = (int) i.imm;
        switch (i.op) {
            case UNPCKL:
            case UNPCKH:
                int from = i.op == Op.UNPCKH ? count / 2 : 0;
                for (int k = 0; k < count; k++) {
                    set(r, at, k, i.lane, get((k & 1) == 0 ? h : b, at, from + k / 2, i.lane));
                }
                break;
            case PACKSS:
            case PACKUS:
                pack(i, at, count);
                break;
            case PSHUFB:
                for (int k = 0; k < bytes; k++) {
                    int s = (int) get(b, at, k, 1);
                    set(r, at, k, 1, s >= 0x80 ? 0 : get(h, at, s & bytes - 1, 1));
                }
                break;
            case PALIGNR:
                for (int k = 0; k < bytes; k++) {
                    int s = k + imm;
                    set(r, at, k, 1, s < bytes ? get(b, at, s, 1) : s < 2 * bytes ? get(h, at, s - bytes, 1) : 0);
                }
                break;
            case PSRLDQ:
            case PSLLDQ:
                for (int k = 0; k < 16; k++) {
                    int s = i.op == Op.PSRLDQ ? k + imm : k - imm;
                    set(r, at, k, 1, s >= 0 && s < 16 ? get(h, at, s, 1) : 0);
                }
                break;
            case PSHUFD:
                for (int k = 0; k < 4; k++) {
                    set(r, at, k, 4, get(b, at, imm >>> 2 * k & 3, 4));
                }
                break;
            case PSHUFLW:
            case PSHUFHW:
                int moved = i.op == Op.PSHUFHW ? 1 : 0;
                r[at] = b[at];
                r[at + 1 & 3] = b[at + 1 & 3];
                for (int k = 0; k < 4; k++) {
                    set(r, at + moved, k, 2, get(b, at + moved, imm >>> 2 * k & 3, 2));
                }
                break;
            case SHUF_X:
            case VPERMIL_I:
                for (int k = 0; k < count; k++) {
                    int s = i.lane == 8 ? imm >>> at + k & 1 : imm >>> 2 * k & 3;
                    set(r, at, k, i.lane, get(i.op == Op.SHUF_X && k < count / 2 ? h : b, at, s, i.lane));
                }
                break;
            case VPERMIL:
                for (int k = 0; k < count; k++) {
                    int s = i.lane == 8 ? (int) (b[at + k] >>> 1) & 1 : (int) get(b, at, k, 4) & 3;
                    set(r, at, k, i.lane, get(h, at, s, i.lane));
                }
                break;
            case MOVDUP:
            case MOVDUP_H:
                for (int k = 0; k < count; k++) {
                    set(r, at, k, i.lane, get(b, at, i.op == Op.MOVDUP ? k & ~1 : k | 1, i.lane));
                }
                break;
            case MPSADBW:
                sums(at, at == 0 ? imm : imm >> 3);
                break;
            case INSERTPS:
                insert(i);
                break;
            case PHMINPOS:
                int least = 0;
                for (int k = 1; k < 8; k++) {
                    least = get(b, 0, k, 2) < get(b, 0, least, 2) ? k : least;
                }
                r[0] = get(b, 0, least, 2) | (long) least << 16;
                r[1] = 0;
                break;
            default:
                horizontal(i, at, count);
        }
    }

    private void pack(Insn i, int at, int count) {
        int to = i.lane / 2;
        long most = i.op == Op.PACKUS ? Lanes.mask(to) : Lanes.mask(to) >>> 1;
        long least = i.op == Op.PACKUS ? 0 : -most - 1;
        for (int k = 0; k < 2 * count; k++) {
            long e = Core.extend(get(k < count ? h : b, at, k % count, i.lane), i.lane);
            set(r, at, k, to, Math.max(least, Math.min(most, e)));
        }
    }

    private void horizontal(Insn i, int at, int count) {
        for (int k = 0; k < count; k++) {
            long[] from = k < count / 2 ? h : b;
            int pair = 2 * k % count;
            long x = Core.extend(get(from, at, pair, i.lane), i.lane);
            long y = Core.extend(get(from, at, pair + 1, i.lane), i.lane);
            long e = i.op == Op.PHADD || i.op == Op.PHADDS ? x + y : x - y;
            set(r, at, k, i.lane, i.op == Op.PHADDS || i.op == Op.PHSUBS ? Lanes.saturate(e, i.lane) : e);
        }
    }

    private void sums(int at, int imm) {
        int first = (imm & 4) != 0 ? 4 : 0;
        int second = (imm & 3) * 4;
        for (int k = 0; k < 8; k++) {
            long sum = 0;
            for (int n = 0; n < 4; n++) {
                sum += Math.abs(get(h, at, first + k + n, 1) - get(b, at, second + n, 1));
            }
            set(r, at, k, 2, sum);
        }
    }

    /** The source element is chosen only in a register: memory is the element. */
    private void insert(Insn i) {
        long e = get(b, 0, i.bk == Insn.MEM ? 0 : (int) i.imm >>> 6 & 3, 4);
        for (int k = 0; k < 4; k++) {
            boolean cleared = (i.imm >>> k & 1) != 0;
            set(r, 0, k, 4, cleared ? 0 : k == (i.imm >>> 4 & 3) ? e : get(h, 0, k, 4));
        }
    }
}
