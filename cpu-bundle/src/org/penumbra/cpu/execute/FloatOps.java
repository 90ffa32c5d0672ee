package org.penumbra.cpu.execute;

import static org.penumbra.cpu.execute.VectorUnit.get;
import static org.penumbra.cpu.execute.VectorUnit.set;

import java.util.Arrays;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Floating-point elements of vectors, with all that MXCSR asks for. An unmasked exception leaves the destination as it is; those that are known
 * before there is a result come alone (SDM vol. 1, "SIMD Floating-Point Exception Conditions").
 *
 * <pre>
 *  MXCSR   5:0 flags   6 DAZ, denormal operands are 0   12:7 masks   14:13 rounding   15 FTZ, tiny results are 0
 * </pre>
 */
final class FloatOps {
    private static final int DAZ = 1 << 6;
    private static final int FTZ = 1 << 15;
    private static final int QUIET = 0x1fa0;
    private static final long DOUBLE_EXPONENT = 0x7ffL << 52;
    private static final long DOUBLE_LEAST = 1L << 52;
    private static final int SINGLE_EXPONENT = 0xff << 23;
    private static final int SINGLE_LEAST = 1 << 23;
    private static final int CR4_OSXMMEXCPT = 1 << 10;

    private final VectorUnit unit;
    private final Core core;
    private final long[] h;
    private final long[] b;
    private final long[] r;
    private final SoftFloat soft = new SoftFloat();
    private final Real x = new Real();
    private final Real y = new Real();
    private final Real z = new Real();
    private final long[] products = new long[8];
    private boolean zeroDenormals;
    /** Rounding to nearest, all masked, inexact already: nothing that normal numbers do changes MXCSR. */
    private boolean quiet;
    private int raised;

    FloatOps(VectorUnit unit) {
        this.unit = unit;
        this.core = unit.core;
        this.h = unit.h;
        this.b = unit.b;
        this.r = unit.r;
    }

    void execute(Insn i) {
        int mxcsr = core.registers.mxcsr;
        soft.rounding = mxcsr >>> 13 & 3;
        soft.unmasked = ~mxcsr >>> 7 & 0x3f;
        soft.flush = (mxcsr & FTZ) != 0 && (soft.unmasked & SoftFloat.UE) == 0;
        zeroDenormals = (mxcsr & DAZ) != 0;
        quiet = (mxcsr & ~0x1f) == QUIET;
        raised = 0;
        switch (i.op) {
            case COMIS:
                compare(i);
                break;
            case CVTTSI:
                towards(i);
                long integer = integer(b, 0, i.lane, i.aw);
                settle();
                core.put(i, integer);
                break;
            case CVTSI:
                System.arraycopy(h, 0, r, 0, 4);
                x.integer(Core.extend(b[0], i.bw));
                converted(0, i.lane);
                finish(i);
                break;
            case CVT_F:
            case CVTDQ:
            case CVTPI:
            case CVT_TO_DQ:
            case CVT_TO_PI:
                convert(i);
                finish(i);
                break;
            default:
                elements(i);
                finish(i);
        }
    }

    private void finish(Insn i) {
        settle();
        unit.result(i);
    }

    /** MXCSR gets the flags; #XM if one is not masked (#UD without CR4.OSXMMEXCPT). */
    private void settle() {
        int before = raised & SoftFloat.BEFORE;
        boolean early = (before & soft.unmasked) != 0;
        core.registers.mxcsr |= early ? before : raised;
        boolean trapped = early || (raised & soft.unmasked) != 0;
        raised = 0;
        if (trapped) {
            throw core.registers.paging.has4(CR4_OSXMMEXCPT) ? core.fault(Core.XM, 0) : core.ud();
        }
    }

    private void keep() {
        raised |= soft.raised;
        soft.raised = 0;
    }

    private void format(int lane) {
        if (lane == 4) {
            soft.toSingle();
        } else {
            soft.toDouble();
        }
    }

    private void unpack(long bits, int lane, Real to) {
        if (lane == 4) {
            to.single((int) bits);
        } else {
            to.dbl(bits);
        }
        if (zeroDenormals && to.denormal) {
            to.zero(to.negative);
        }
    }

    private static long pack(Real from, int lane) {
        return lane == 4 ? from.toSingle() & 0xffff_ffffL : from.toDouble();
    }

    private void elements(Insn i) {
        int lane = i.lane;
        int count = i.scalar ? 1 : i.words * 8 / lane;
        System.arraycopy(h, 0, r, 0, 4);
        format(lane);
        if (i.op == Op.HADD_F || i.op == Op.HSUB_F) {
            horizontal(i, count);
            return;
        }
        if (i.op == Op.DP_F) {
            dot(i);
            return;
        }
        for (int k = 0; k < count; k++) {
            set(r, 0, k, lane, element(i, k, get(h, 0, k, lane), get(b, 0, k, lane)));
            keep();
        }
    }

    private void horizontal(Insn i, int count) {
        int half = 8 / i.lane;
        for (int k = 0; k < count; k++) {
            int inLane = k % (2 * half);
            long[] from = inLane < half ? h : b;
            int pair = k - inLane + 2 * (inLane % half);
            set(r, 0, k, i.lane, arithmetic(i.op == Op.HADD_F ? Op.ADD_F : Op.SUB_F, i.lane, get(from, 0, pair, i.lane), get(from, 0, pair + 1, i.lane)));
            keep();
        }
    }

    /** Products, sums of pairs, sum of sums: each is rounded, and what one raises comes before the next is done. */
    private void dot(Insn i) {
        int lane = i.lane;
        int count = 16 / lane;
        int all = i.words * 8 / lane;
        for (int k = 0; k < all; k++) {
            boolean counts = (i.imm >>> 4 + k % count & 1) != 0;
            products[k] = counts ? arithmetic(Op.MUL_F, lane, get(h, 0, k, lane), get(b, 0, k, lane)) : 0;
        }
        keep();
        settle();
        for (int step = 1; step < count; step *= 2) {
            for (int k = 0; k < all; k += 2 * step) {
                products[k] = arithmetic(Op.ADD_F, lane, products[k], products[k + step]);
            }
            keep();
            settle();
        }
        for (int k = 0; k < all; k++) {
            set(r, 0, k, lane, (i.imm >>> k % count & 1) != 0 ? products[k - k % count] : 0);
        }
    }

    private long element(Insn i, int k, long first, long second) {
        switch (i.op) {
            case ADDSUB_F:
                return arithmetic((k & 1) == 0 ? Op.SUB_F : Op.ADD_F, i.lane, first, second);
            case MIN_F:
            case MAX_F:
                unpack(first, i.lane, x);
                unpack(second, i.lane, y);
                int order = soft.compare(x, y, true);
                boolean takes = order == (i.op == Op.MIN_F ? -1 : 1);
                long bits = takes ? first : second;
                // An operand that counts as 0 is the result as 0.
                Real taken = takes ? x : y;
                return taken.kind == Real.ZERO ? pack(taken, i.lane) : bits;
            case CMP_F:
                return truth(i, first, second);
            case ROUND_F:
                int mode = (int) i.imm;
                soft.rounding = (mode & 4) != 0 ? core.registers.mxcsr >>> 13 & 3 : mode & 3;
                unpack(second, i.lane, x);
                soft.integral(x, z);
                soft.raised &= (mode & 8) != 0 ? ~SoftFloat.PE : -1;
                return pack(z, i.lane);
            case RCP_F:
            case RSQRT_F:
                return approximate(i.op, Float.intBitsToFloat((int) second)) & 0xffff_ffffL;
            default:
                return arithmetic(i.op, i.lane, first, second);
        }
    }

    private long arithmetic(Op op, int lane, long first, long second) {
        if (quiet) {
            long bits = lane == 8 ? quick(op, first, second) : quick(op, (int) first, (int) second) & 0xffff_ffffL;
            if (bits != 0) {
                return bits;
            }
        }
        unpack(first, lane, x);
        unpack(second, lane, y);
        switch (op) {
            case ADD_F:
            case SUB_F:
                soft.add(x, y, op == Op.SUB_F, z);
                break;
            case MUL_F:
                soft.multiply(x, y, z);
                break;
            case DIV_F:
                soft.divide(x, y, z);
                break;
            case SQRT_F:
                soft.squareRoot(y, z);
                break;
            default:
                throw new IllegalStateException("no " + op + " here");
        }
        return pack(z, lane);
    }

    /** What the host makes of it, which is the same where all numbers are normal; 0 where one is not, or the result might not have been. */
    private static long quick(Op op, long first, long second) {
        double a = Double.longBitsToDouble(first);
        double b = Double.longBitsToDouble(second);
        double c = op == Op.ADD_F ? a + b : op == Op.SUB_F ? a - b : op == Op.MUL_F ? a * b : op == Op.DIV_F ? a / b : Math.sqrt(b);
        long bits = Double.doubleToRawLongBits(c);
        return normal(first) && normal(second) && normal(bits) && (bits & DOUBLE_EXPONENT) != DOUBLE_LEAST ? bits : 0;
    }

    private static boolean normal(long bits) {
        long exponent = bits & DOUBLE_EXPONENT;
        return exponent != 0 && exponent != DOUBLE_EXPONENT;
    }

    private static int quick(Op op, int first, int second) {
        float a = Float.intBitsToFloat(first);
        float b = Float.intBitsToFloat(second);
        float c = op == Op.ADD_F ? a + b : op == Op.SUB_F ? a - b : op == Op.MUL_F ? a * b : op == Op.DIV_F ? a / b : (float) Math.sqrt(b);
        int bits = Float.floatToRawIntBits(c);
        return normal(first) && normal(second) && normal(bits) && (bits & SINGLE_EXPONENT) != SINGLE_LEAST ? bits : 0;
    }

    private static boolean normal(int bits) {
        int exponent = bits & SINGLE_EXPONENT;
        return exponent != 0 && exponent != SINGLE_EXPONENT;
    }

    /**
     * SDM vol. 2, table "Comparison Predicate for CMPPD and CMPPS Instructions": bits 1:0 equal, less, less or equal, unordered; bit 2 negates;
     * bit 3 has the unordered meet what they would not; bit 4 has quiet NaNs signal the other way.
     */
    private long truth(Insn i, long first, long second) {
        int predicate = (int) i.imm & (i.vex ? 31 : 7);
        unpack(first, i.lane, x);
        unpack(second, i.lane, y);
        boolean signals = ((predicate & 3) == 1 || (predicate & 3) == 2) != ((predicate & 16) != 0);
        int order = soft.compare(x, y, signals);
        boolean met;
        switch (predicate & 3) {
            case 0:
                met = order == 0 || order == 2 && (predicate & 8) != 0;
                break;
            case 1:
                met = order == -1 || order == 2 && (predicate & 8) != 0;
                break;
            case 2:
                met = order == -1 || order == 0 || order == 2 && (predicate & 8) != 0;
                break;
            default:
                met = order == 2 && (predicate & 8) == 0;
        }
        return met != ((predicate & 4) != 0) ? -1 : 0;
    }

    /** RCPSS and RSQRTSS: 1.5 × 2^−12 is all that is promised; here the result is rounded correctly. */
    private static int approximate(Op op, float value) {
        if (value != value) {
            return Float.floatToRawIntBits(value) | 0x40_0000;
        }
        float operand = Math.abs(value) < Float.MIN_NORMAL ? Math.copySign(0, value) : value;
        if (op == Op.RSQRT_F && operand < 0) {
            return 0xffc0_0000;
        }
        float result = op == Op.RCP_F ? 1 / operand : operand == 0 ? 1 / operand : (float) (1 / Math.sqrt(operand));
        return Float.floatToRawIntBits(Math.abs(result) < Float.MIN_NORMAL ? Math.copySign(0, result) : result);
    }

    /** UCOMISS and its kin: the result is in ZF, PF, CF. */
    private void compare(Insn i) {
        unpack(h[0], i.lane, x);
        unpack(b[0], i.lane, y);
        int order = soft.compare(x, y, (i.entry.opcode() & 1) != 0);
        keep();
        settle();
        core.flags.write(order == 1 ? 0 : order == -1 ? Flags.CF : order == 0 ? Flags.ZF : Flags.ZF | Flags.PF | Flags.CF, Flags.STATUS);
    }

    private void towards(Insn i) {
        if (!i.rounds) {
            soft.rounding = SoftFloat.ZERO;
        }
    }

    private long integer(long[] from, int k, int lane, int bytes) {
        unpack(get(from, 0, k, lane), lane, x);
        long value = soft.integer(x, bytes);
        keep();
        return value;
    }

    /** {@link #x} becomes element {@code k} of the result. */
    private void converted(int k, int lane) {
        format(lane);
        soft.convert(x, z);
        keep();
        set(r, 0, k, lane, pack(z, lane));
    }

    private void convert(Insn i) {
        if (i.scalar) {
            System.arraycopy(h, 0, r, 0, 4);
            unpack(b[0], i.lane, x);
            converted(0, 12 - i.lane);
            return;
        }
        long[] from = unit.spare;
        System.arraycopy(b, 0, from, 0, 4);
        if (i.op == Op.CVTPI) {
            // CVTPI2PS leaves the upper half.
            System.arraycopy(h, 0, r, 0, 4);
        } else {
            Arrays.fill(r, 0);
        }
        int wide = i.op == Op.CVTDQ || i.op == Op.CVTPI || i.op == Op.CVT_F ? Math.max(i.lane, 12 - i.lane) : i.lane;
        boolean toSingle = (i.op == Op.CVTDQ || i.op == Op.CVTPI) && i.lane == 4;
        int count = i.op == Op.CVTPI || i.op == Op.CVT_TO_PI ? 2 : i.words * 8 / (toSingle ? 4 : wide);
        if (i.op == Op.CVT_TO_DQ || i.op == Op.CVT_TO_PI) {
            towards(i);
        }
        for (int k = 0; k < count; k++) {
            switch (i.op) {
                case CVT_F:
                    unpack(get(from, 0, k, i.lane), i.lane, x);
                    converted(k, 12 - i.lane);
                    break;
                case CVTDQ:
                case CVTPI:
                    x.integer((int) get(from, 0, k, 4));
                    converted(k, i.lane);
                    break;
                default:
                    set(r, 0, k, 4, integer(from, k, i.lane, 4));
            }
        }
    }
}
