package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Floating point of SSE: results rounded to nearest, and NaNs as SDM vol. 1, "Operating on SNaNs and QNaNs", says. MXCSR decides the rounding of
 * conversions to integers; its other rounding modes, flushing to zero, exception flags and unmasked exceptions are not modelled.
 */
final class FloatOps {
    private static final int QUIET_32 = 0x40_0000;
    private static final long QUIET_64 = 1L << 51;
    private static final int DEFAULT_32 = 0xffc0_0000;
    private static final long DEFAULT_64 = 0xfff8_0000_0000_0000L;

    private final Core core;
    /** What {@link #convert} has made. */
    long low;
    long high;

    FloatOps(Core core) {
        this.core = core;
    }

    /** A half of the result of {@code i} on halves of its operands; of a scalar operation the lowest element counts. */
    long half(Insn i, long a, long b) {
        if (i.lane == 8) {
            return i.op == Op.CMP_F ? truth(i.imm, Double.longBitsToDouble(a), Double.longBitsToDouble(b)) : arithmetic(i.op, a, b);
        }
        return lane(i, (int) a, (int) b) & 0xffff_ffffL | (long) lane(i, (int) (a >>> 32), (int) (b >>> 32)) << 32;
    }

    private static int lane(Insn i, int a, int b) {
        return i.op == Op.CMP_F ? (int) truth(i.imm, Float.intBitsToFloat(a), Float.intBitsToFloat(b)) : arithmetic(i.op, a, b);
    }

    private static long truth(long predicate, double a, double b) {
        boolean unordered = a != a || b != b;
        boolean met;
        switch ((int) predicate & 3) {
            case 0:
                met = a == b;
                break;
            case 1:
                met = a < b;
                break;
            case 2:
                met = a <= b;
                break;
            default:
                met = unordered;
        }
        return met != ((predicate & 4) != 0) ? -1 : 0;
    }

    private static int arithmetic(Op op, int x, int y) {
        float a = Float.intBitsToFloat(x);
        float b = Float.intBitsToFloat(y);
        if (op == Op.MIN_F || op == Op.MAX_F) {
            return (op == Op.MIN_F ? a < b : a > b) ? x : y;
        }
        if (op != Op.SQRT_F && a != a) {
            return x | QUIET_32;
        }
        if (b != b) {
            return y | QUIET_32;
        }
        float r = op == Op.ADD_F ? a + b : op == Op.SUB_F ? a - b : op == Op.MUL_F ? a * b : op == Op.DIV_F ? a / b : (float) Math.sqrt(b);
        return r != r ? DEFAULT_32 : Float.floatToRawIntBits(r);
    }

    private static long arithmetic(Op op, long x, long y) {
        double a = Double.longBitsToDouble(x);
        double b = Double.longBitsToDouble(y);
        if (op == Op.MIN_F || op == Op.MAX_F) {
            return (op == Op.MIN_F ? a < b : a > b) ? x : y;
        }
        if (op != Op.SQRT_F && a != a) {
            return x | QUIET_64;
        }
        if (b != b) {
            return y | QUIET_64;
        }
        double r = op == Op.ADD_F ? a + b : op == Op.SUB_F ? a - b : op == Op.MUL_F ? a * b : op == Op.DIV_F ? a / b : Math.sqrt(b);
        return r != r ? DEFAULT_64 : Double.doubleToRawLongBits(r);
    }

    /** UCOMISS and its kin: the result is in ZF, PF, CF. */
    void compare(long x, long y, int lane) {
        double a = lane == 4 ? Float.intBitsToFloat((int) x) : Double.longBitsToDouble(x);
        double b = lane == 4 ? Float.intBitsToFloat((int) y) : Double.longBitsToDouble(y);
        int f = a > b ? 0 : a < b ? Flags.CF : a == b ? Flags.ZF : Flags.ZF | Flags.PF | Flags.CF;
        core.flags.write(f, Flags.STATUS);
    }

    /** {@code value} as an integer of {@code size} bytes; the indefinite one if it does not fit. */
    long integer(double value, int size, boolean rounds) {
        double r = rounds ? round(value) : value < 0 ? Math.ceil(value) : Math.floor(value);
        double limit = size == 8 ? 0x1p63 : 0x1p31;
        return r >= -limit && r < limit ? (long) r : size == 8 ? Long.MIN_VALUE : 0x8000_0000L;
    }

    private double round(double value) {
        switch (core.registers.mxcsr >>> 13 & 3) {
            case 0:
                return Math.rint(value);
            case 1:
                return Math.floor(value);
            case 2:
                return Math.ceil(value);
            default:
                return value < 0 ? Math.ceil(value) : Math.floor(value);
        }
    }

    /** Conversions of whole registers, and between the two formats. */
    void convert(Insn i, long a, long b) {
        switch (i.op) {
            case CVT_F:
                low = i.lane == 4 ? widen((int) a) : narrow(a) & 0xffff_ffffL | (i.scalar ? 0 : (long) narrow(b) << 32);
                high = i.lane == 4 ? widen((int) (a >>> 32)) : 0;
                break;
            case CVTDQ:
                low = i.lane == 4 ? floats(a) : Double.doubleToRawLongBits((int) a);
                high = i.lane == 4 ? floats(b) : Double.doubleToRawLongBits((int) (a >>> 32));
                break;
            default:
                low = i.lane == 4 ? integers(a, i.rounds)
                        : pair(integer(Double.longBitsToDouble(a), 4, i.rounds), integer(Double.longBitsToDouble(b), 4, i.rounds));
                high = i.lane == 4 ? integers(b, i.rounds) : 0;
        }
    }

    private static long pair(long first, long second) {
        return first & 0xffff_ffffL | second << 32;
    }

    private static long floats(long integers) {
        return pair(Float.floatToRawIntBits((int) integers), Float.floatToRawIntBits((int) (integers >>> 32)));
    }

    private long integers(long floats, boolean rounds) {
        return pair(integer(Float.intBitsToFloat((int) floats), 4, rounds), integer(Float.intBitsToFloat((int) (floats >>> 32)), 4, rounds));
    }

    private static long widen(int x) {
        float f = Float.intBitsToFloat(x);
        return f == f ? Double.doubleToRawLongBits(f) : (long) (x & 0x8000_0000) << 32 | 0x7ff8_0000_0000_0000L | (x & 0x7f_ffffL) << 29;
    }

    private static int narrow(long x) {
        double d = Double.longBitsToDouble(x);
        return d == d ? Float.floatToRawIntBits((float) d) : (int) (x >>> 32) & 0x8000_0000 | 0x7fc0_0000 | (int) (x >>> 29) & 0x3f_ffff;
    }
}
