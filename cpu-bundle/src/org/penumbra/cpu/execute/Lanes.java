package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** What is done to integer elements of 1, 2, 4 or 8 bytes each for itself, whatever the length of the vector. */
final class Lanes {
    private Lanes() {}

    static long mask(int lane) {
        return -1L >>> 64 - 8 * lane;
    }

    /** {@code value} with its low {@code lane} bytes from {@code from}. */
    static long low(long value, long from, int lane) {
        return value & ~mask(lane) | from & mask(lane);
    }

    /** The sign bits of the elements of a word. */
    static long signs(long word, int lane) {
        long r = 0;
        for (int k = 0; k < 8 / lane; k++) {
            r |= (word >>> 8 * lane * (k + 1) - 1 & 1) << k;
        }
        return r;
    }

    /** {@code i} on each word of its sources. */
    static void apply(Insn i, long[] h, long[] b, long[] r) {
        for (int k = 0; k < i.words; k++) {
            switch (i.op) {
                case PSRL:
                case PSRA:
                case PSLL:
                    r[k] = shift(i.op, i.lane, h[k], i.bk == Insn.IMM || i.ck == Insn.IMM ? i.imm : b[0]);
                    break;
                case VSHIFT_R:
                case VSHIFT_A:
                case VSHIFT_L:
                    r[k] = shifts(i.op == Op.VSHIFT_R ? Op.PSRL : i.op == Op.VSHIFT_A ? Op.PSRA : Op.PSLL, i.lane, h[k], b[k]);
                    break;
                default:
                    r[k] = apply(i.op, i.lane, h[k], b[k]);
            }
        }
    }

    /** Shifts each element by {@code count}, an unsigned number. */
    private static long shift(Op op, int lane, long word, long count) {
        int bits = 8 * lane;
        boolean out = Long.compareUnsigned(count, bits) >= 0;
        if (out && op != Op.PSRA) {
            return 0;
        }
        int n = out ? bits - 1 : (int) count;
        long r = 0;
        for (int k = 0; k < 64; k += bits) {
            long e = word >>> k & mask(lane);
            long s = op == Op.PSRL ? e >>> n : op == Op.PSLL ? e << n : Core.extend(e, lane) >> n;
            r |= (s & mask(lane)) << k;
        }
        return r;
    }

    /** Shifts each element by that of {@code counts}. */
    private static long shifts(Op op, int lane, long word, long counts) {
        long r = 0;
        for (int k = 0; k < 64; k += 8 * lane) {
            r |= (shift(op, lane, word >>> k & mask(lane), counts >>> k & mask(lane)) & mask(lane)) << k;
        }
        return r;
    }

    private static long apply(Op op, int lane, long a, long b) {
        switch (op) {
            case AND_X:
                return a & b;
            case ANDN_X:
                return ~a & b;
            case OR_X:
                return a | b;
            case XOR_X:
                return a ^ b;
            case PMULUDQ:
                return (a & 0xffff_ffffL) * (b & 0xffff_ffffL);
            case PMULDQ:
                return (long) (int) a * (int) b;
            case PMADD:
                return madd(a, b) & 0xffff_ffffL | madd(a >>> 32, b >>> 32) << 32;
            case PSAD:
                long sum = 0;
                for (int k = 0; k < 64; k += 8) {
                    sum += Math.abs((a >>> k & 0xff) - (b >>> k & 0xff));
                }
                return sum;
            default:
        }
        long r = 0;
        for (int k = 0; k < 64; k += 8 * lane) {
            r |= (element(op, lane, a >>> k & mask(lane), b >>> k & mask(lane)) & mask(lane)) << k;
        }
        return r;
    }

    private static long madd(long a, long b) {
        return (long) (short) a * (short) b + (long) (short) (a >>> 16) * (short) (b >>> 16);
    }

    /** One pair, zero-extended. */
    private static long element(Op op, int lane, long a, long b) {
        long sa = Core.extend(a, lane);
        long sb = Core.extend(b, lane);
        switch (op) {
            case PADD:
                return a + b;
            case PSUB:
                return a - b;
            case PADDS:
                return saturate(sa + sb, lane);
            case PSUBS:
                return saturate(sa - sb, lane);
            case PADDUS:
                return Math.min(a + b, mask(lane));
            case PSUBUS:
                return Math.max(a - b, 0);
            case PCMPEQ:
                return a == b ? -1 : 0;
            case PCMPGT:
                return sa > sb ? -1 : 0;
            case PMULL:
                return sa * sb;
            case PMULH:
                return sa * sb >> 8 * lane;
            case PMULHU:
                return a * b >>> 8 * lane;
            case PMULHRS:
                return (sa * sb >> 14) + 1 >> 1;
            case PMADDUB:
                return saturate((a & 0xff) * (byte) b + (a >>> 8) * (byte) (b >>> 8), 2);
            case PAVG:
                return a + b + 1 >>> 1;
            case PMINU:
                return Math.min(a, b);
            case PMAXU:
                return Math.max(a, b);
            case PMINS:
                return Math.min(sa, sb);
            case PMAXS:
                return Math.max(sa, sb);
            case PABS:
                return Math.abs(sb);
            case PSIGN:
                return sb < 0 ? -sa : sb == 0 ? 0 : sa;
            default:
                throw new IllegalStateException("no " + op + " here");
        }
    }

    static long saturate(long value, int lane) {
        long most = mask(lane) >>> 1;
        return Math.max(-most - 1, Math.min(most, value));
    }
}
