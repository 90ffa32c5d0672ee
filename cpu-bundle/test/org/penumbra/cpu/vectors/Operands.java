package org.penumbra.cpu.vectors;

import org.penumbra.api.cpu.FpuRegisters;

/** Register contents for an instruction, as {@code vectors.c} makes them: its functions of the same names. */
final class Operands {
    private static final long PRIME = 0x100_0000_01b3L;
    private static final long[] EDGES = {
        0, 1, -1, 0x7fL, 0x80L, 0xffL, 0x7fffL, 0x8000L, 0xffffL, 0x7fffffffL, 0x80000000L, 0xffffffffL, 0x7fffffffffffffffL,
        0x8000000000000000L, 0x123456789abcdefL, 2
    };
    private static final long[] VECTOR_EDGES = {
        0, 0x3f8000003f800000L, 0x3ff0000000000000L, 0x4000000000000000L, 0x7ff0000000000000L, 0xfff0000000000000L,
        0x7f800000ff800000L, 0x8000000080000000L, 0x8000000000000000L, 0x7ff8000000000001L, 0x7ff0000000000001L,
        0x7f8000017fc00001L, 0x100000001L, 0x41dfffffffc00000L, 0x4f0000004effffffL, 0xc1e0000000200000L, 0x7fefffffffffffffL,
        0x10000000000000L, 0xfffffffffffffL, 0x7f7fffff00800000L, 0x7fffff80000001L, 0xbff0000000000000L, 0xbf800000bf800000L,
        0x3fe0000000000000L, 0x3f0000003fc00000L, 0x4330000000000001L, 0x43e0000000000000L, -1, 0x7f7f7f7f80808080L,
        0xfff8000000000000L, 0x40200000c0200000L, 0x1000200030000L
    };
    private static final int[] TOPS = {0x3fff, 0x3ffe, 0x4000, 0x403e, 0x7ffe, 0x7fff, 0x0000, 0x0001};
    private static final long[] SIGNIFICANDS = {
        0x8000000000000000L, -1, 0xc000000000000000L, 0x8000000000000001L, 0, 0xa000000000000000L, 0xfffffffffffff800L,
        0x8000008000000000L
    };
    private static final int[] PRECISION = {0, 0x200, 0x300, 0x300};

    private long seed;
    /** Of the last {@link #extended()}. */
    long significand;

    void seed(byte[] code) {
        seed = 0x9e37_79b9_7f4a_7c15L;
        for (byte b : code) {
            seed = (seed ^ b & 0xff) * PRIME;
        }
    }

    /** xorshift64*. */
    long next() {
        seed ^= seed >>> 12;
        seed ^= seed << 25;
        seed ^= seed >>> 27;
        return seed * 0x2545_f491_4f6c_dd1dL;
    }

    long operand() {
        long r = next();
        switch ((int) (r >>> 62)) {
            case 0:
                return EDGES[(int) r & 15];
            case 1:
                return r & 0x7f;
            default:
                return next();
        }
    }

    long vector() {
        long r = next();
        switch ((int) (r >>> 62)) {
            case 0:
                return VECTOR_EDGES[(int) r & 31];
            case 1:
                return r & 0x0301_0301_0301_0301L;
            default:
                return next();
        }
    }

    long floating() {
        long r = next();
        long f = next();
        switch ((int) (r >>> 61)) {
            case 0:
            case 1:
                return VECTOR_EDGES[(int) r & 31];
            case 2:
                return f & 0x800f_ffff_ffff_ffffL | 1023 - 32 + (r & 63) << 52;
            case 3:
                return f & 0x807f_ffff_807f_ffffL | 127 - 16 + (r & 31) << 23 | 127 - 16 + (r >>> 5 & 31) << 55;
            case 4:
                return f & 0x800f_ffff_ffff_ffffL | ((r & 1) != 0 ? r >>> 1 & 63 : 2046 - (r >>> 1 & 63)) << 52;
            case 5:
                return f & 0x807f_ffff_807f_ffffL | ((r & 1) != 0 ? r >>> 1 & 15 : 254 - (r >>> 1 & 15)) << 23
                        | ((r & 2) != 0 ? r >>> 5 & 15 : 254 - (r >>> 5 & 15)) << 55;
            case 6:
                return r & 0xff;
            default:
                return f;
        }
    }

    int mxcsr() {
        long r = next();
        long m = (r & 7) != 0 ? 0x1f80 : r & 0x1f80;
        m |= r >>> 20 & 0x6000;
        m |= (r >>> 40 & 3) == 0 ? 0x8000 : 0;
        m |= (r >>> 42 & 3) == 0 ? 0x40 : 0;
        m |= (r >>> 44 & 3) == 0 ? r >>> 46 & 0x3f : 0;
        return (int) m;
    }

    /** Sign and exponent; {@link #significand} is the rest. */
    int extended() {
        long r = next();
        long f = next();
        int sign = (int) r & 0x8000;
        long top = Long.MIN_VALUE;
        switch ((int) (r >>> 61)) {
            case 0:
            case 1:
                significand = SIGNIFICANDS[(int) r & 7];
                return sign | TOPS[(int) r >>> 3 & 7];
            case 2:
                significand = f | top;
                return sign | 0x3fff - 32 + (int) (r & 63);
            case 3:
                significand = f & -1L << (r >>> 20 & 63) | top;
                return sign | 0x3fff + (int) (r & 63);
            case 4:
                significand = f | top;
                return sign | (int) ((r & 1) != 0 ? r >>> 1 & 63 : 0x7ffe - (r >>> 1 & 63));
            case 5:
                significand = f >>> (r & 63);
                return sign;
            case 6:
                significand = f | top;
                return sign | 0x3fff + (int) (r & 31) - (int) (r >>> 5 & 15);
            default:
                significand = f;
                return (int) r & 0xffff;
        }
    }

    void fpu(FpuRegisters fpu) {
        long r = next();
        long masks = (r & 7) != 0 ? 0x3f : r >>> 3 & 0x3f;
        fpu.control = (int) (0x40 | masks | PRECISION[(int) (r >>> 10) & 3] | r >>> 2 & 0xc00);
        fpu.status = (int) (r >>> 20 & 0x7f00 | r >>> 40 & masks);
        fpu.used = (int) ((r >>> 50 & 3) != 0 ? 0xff : r >>> 52 & 0xff);
        for (int i = 0; i < 8; i++) {
            int n = i + (fpu.status >>> 11) & 7;
            fpu.exponent[n] = (short) extended();
            fpu.significand[n] = significand;
        }
    }
}
