package org.penumbra.cpu.execute;

import org.penumbra.cpu.table.Op;

/** Integer elements of 1, 2, 4 or 8 bytes in halves of XMM registers. */
final class Lanes {
    private Lanes() {}

    private static long mask(int lane) {
        return -1L >>> 64 - 8 * lane;
    }

    /** {@code value} with its low {@code lane} bytes from {@code from}. */
    static long low(long value, long from, int lane) {
        return value & ~mask(lane) | from & mask(lane);
    }

    /** Element {@code k} of a whole register, zero-extended. */
    static long element(long low, long high, int k, int lane) {
        int perHalf = 8 / lane;
        return (k < perHalf ? low : high) >>> 8 * lane * (k % perHalf) & mask(lane);
    }

    /** The sign bits of the elements of a half. */
    static long signs(long half, int lane) {
        long r = 0;
        for (int k = 0; k < 8 / lane; k++) {
            r |= (half >>> 8 * lane * (k + 1) - 1 & 1) << k;
        }
        return r;
    }

    /** Shifts each element by {@code count}, an unsigned number. */
    static long shift(Op op, int lane, long half, long count) {
        int bits = 8 * lane;
        boolean out = Long.compareUnsigned(count, bits) >= 0;
        if (out && op != Op.PSRA) {
            return 0;
        }
        int n = out ? bits - 1 : (int) count;
        long r = 0;
        for (int k = 0; k < 64; k += bits) {
            long e = half >>> k & mask(lane);
            long s = op == Op.PSRL ? e >>> n : op == Op.PSLL ? e << n : Core.extend(e, lane) >> n;
            r |= (s & mask(lane)) << k;
        }
        return r;
    }

    /** Elements of {@code a} and {@code b} by turns, of the lower or the {@code upper} half of both. */
    static long interleave(long a, long b, int lane, boolean upper) {
        if (lane == 8) {
            return upper ? b : a;
        }
        int bits = 8 * lane;
        int from = upper ? 32 : 0;
        long r = 0;
        for (int k = 0; k < 32; k += bits) {
            r |= (a >>> from + k & mask(lane)) << 2 * k | (b >>> from + k & mask(lane)) << 2 * k + bits;
        }
        return r;
    }

    /** The elements of a register, each saturated to half its width. */
    static long pack(long low, long high, int lane, boolean unsigned) {
        int bits = 4 * lane;
        long least = unsigned ? 0 : -1L << bits - 1;
        long most = unsigned ? mask(lane) >>> bits : ~(-1L << bits - 1);
        long r = 0;
        for (int k = 0; k < 16 / lane; k++) {
            long e = Core.extend(element(low, high, k, lane), lane);
            r |= (Math.max(least, Math.min(most, e)) & (1L << bits) - 1) << k * bits;
        }
        return r;
    }

    /** A half of a shuffle: its lower half selects from the first register, the upper one from the second. */
    static long shuffle(long lowA, long highA, long lowB, long highB, long selector, int lane, boolean upper) {
        if (lane == 8) {
            return upper ? ((selector & 2) != 0 ? highB : lowB) : (selector & 1) != 0 ? highA : lowA;
        }
        long low = upper ? lowB : lowA;
        long high = upper ? highB : highA;
        int s = (int) selector >>> (upper ? 4 : 0);
        return element(low, high, s & 3, 4) | element(low, high, s >>> 2 & 3, 4) << 32;
    }

    static long words(long half, long selector) {
        long r = 0;
        for (int k = 0; k < 4; k++) {
            r |= element(half, 0, (int) (selector >>> 2 * k) & 3, 2) << 16 * k;
        }
        return r;
    }

    /** {@code op} on each pair of elements of two halves. */
    static long apply(Op op, int lane, long a, long b) {
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
            default:
                throw new IllegalStateException("no " + op + " here");
        }
    }

    private static long saturate(long value, int lane) {
        long most = mask(lane) >>> 1;
        return Math.max(-most - 1, Math.min(most, value));
    }
}
