package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/** FPREM, FPREM1, FSCALE and FXTRACT: exact but for the rounding of what has become a denormal. SDM vol. 2, by mnemonic. */
final class X87Remainders {
    private static final int FAR = 1 << 16;

    private final X87Unit unit;
    private final SoftFloat soft;
    private final Real a = new Real();
    private final Real b = new Real();
    private final Real r = new Real();
    /** Of the last {@link #divide}: its low bits count. */
    private long quotient;

    X87Remainders(X87Unit unit) {
        this.unit = unit;
        this.soft = unit.soft;
    }

    void execute(Insn i) {
        if (unit.empty(0) || unit.empty(1) && i.op != Op.FXTRACT) {
            if (i.op == Op.FPREM || i.op == Op.FPREM1) {
                unit.conditions(X87Unit.C2, 0);
            }
            if (unit.underflow()) {
                unit.setIndefinite(0);
                if (i.op == Op.FXTRACT) {
                    unit.turn(-1);
                    unit.setIndefinite(0);
                }
            }
            return;
        }
        unit.get(0, a);
        if (i.op == Op.FXTRACT) {
            extract();
            return;
        }
        unit.get(1, b);
        if (i.op == Op.FSCALE) {
            scale();
        } else {
            remainder(i.op == Op.FPREM1);
        }
    }

    private void remainder(boolean nearest) {
        int changed = X87Unit.C1 | X87Unit.C2;
        int conditions = 0;
        boolean none = soft.nan(a, b, r);
        if (!none && (a.kind == Real.INFINITE || b.kind == Real.ZERO)) {
            soft.invalid(r);
        } else if (!none) {
            soft.raised |= a.denormal || b.denormal ? SoftFloat.DE : 0;
            if (a.kind == Real.ZERO || b.kind == Real.INFINITE) {
                r.set(a);
                soft.normalize(r);
            } else {
                conditions = reduce(nearest);
            }
            changed |= X87Unit.C0 | X87Unit.C3;
        }
        soft.up = false;
        if (unit.settle()) {
            unit.set(0, r);
            unit.conditions(changed, conditions);
        } else {
            unit.conditions(X87Unit.C2, 0);
        }
    }

    /** The condition codes: C2 if the exponents were so far apart that it has to be done again, else the low bits of the quotient. */
    private int reduce(boolean nearest) {
        int distance = a.exponent - b.exponent;
        if (distance >= 64) {
            int steps = distance & 31 | 32;
            divide(steps, b.exponent + distance - steps, false);
            return X87Unit.C2;
        }
        if (distance < -1 || distance < 0 && !nearest) {
            quotient = 0;
            r.set(a);
            soft.normalize(r);
        } else {
            divide(distance, b.exponent, nearest);
        }
        return ((quotient & 4) != 0 ? X87Unit.C0 : 0) | ((quotient & 2) != 0 ? X87Unit.C3 : 0) | ((quotient & 1) != 0 ? X87Unit.C1 : 0);
    }

    /** The remainder of {@link #a} by 2<sup>exponent</sup> times the significand of {@link #b}, after as many steps as the exponents differ by. */
    private void divide(int steps, int exponent, boolean nearest) {
        boolean sign = a.negative;
        long rest = a.significand;
        boolean carry = false;
        quotient = 0;
        for (int n = 0; n <= steps; n++) {
            if (n > 0) {
                carry = rest < 0;
                rest <<= 1;
                quotient <<= 1;
            }
            if (carry || Long.compareUnsigned(rest, b.significand) >= 0) {
                rest -= b.significand;
                quotient |= 1;
            }
        }
        // One step fewer than none: a is below b, and at least a quarter of it.
        int scale = steps < 0 ? exponent - 1 : exponent;
        if (nearest) {
            boolean above = steps < 0 ? Long.compareUnsigned(rest, b.significand) > 0
                    : rest < 0 || Long.compareUnsigned(rest << 1, b.significand) > 0 || rest << 1 == b.significand && (quotient & 1) != 0;
            if (above) {
                rest = steps < 0 ? (b.significand << 1) - rest : b.significand - rest;
                quotient++;
                sign = !sign;
            }
        }
        if (rest == 0) {
            r.zero(a.negative);
        } else {
            soft.normal(sign, scale, rest, 0, r);
        }
    }

    private void scale() {
        if (!soft.nan(a, b, r)) {
            if (b.kind == Real.INFINITE && (b.negative ? a.kind == Real.INFINITE : a.kind == Real.ZERO)) {
                soft.invalid(r);
            } else {
                soft.raised |= a.denormal || b.denormal ? SoftFloat.DE : 0;
                if (b.kind == Real.INFINITE && b.negative) {
                    r.zero(a.negative);
                } else if (b.kind == Real.INFINITE) {
                    r.infinite(a.negative);
                } else if (a.kind != Real.FINITE) {
                    r.set(a);
                } else {
                    soft.normal(a.negative, a.exponent + integral(b), a.significand, 0, r);
                }
            }
        }
        if (unit.settle()) {
            unit.set(0, r);
        }
    }

    /** {@code from} towards 0, as far as exponents go. */
    private static int integral(Real from) {
        if (from.kind == Real.ZERO || from.exponent < 0) {
            return 0;
        }
        int magnitude = from.exponent > 15 ? FAR : (int) (from.significand >>> 63 - from.exponent);
        return from.negative ? -magnitude : magnitude;
    }

    private void extract() {
        if (!unit.empty(7)) {
            if (unit.overflow()) {
                unit.setIndefinite(0);
                unit.turn(-1);
                unit.setIndefinite(0);
            }
            return;
        }
        b.set(a);
        if (soft.nan(a, a, r)) {
            b.set(r);
        } else if (a.kind == Real.INFINITE) {
            r.infinite(false);
        } else if (a.kind == Real.ZERO) {
            soft.raised |= SoftFloat.ZE;
            r.infinite(true);
        } else {
            soft.raised |= a.denormal ? SoftFloat.DE : 0;
            r.integer(a.exponent);
            b.finite(a.negative, 0, a.significand);
        }
        if (unit.settle()) {
            unit.set(0, r);
            unit.push(b);
        }
    }
}
