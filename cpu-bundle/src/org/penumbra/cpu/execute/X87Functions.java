package org.penumbra.cpu.execute;

import java.math.BigInteger;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * The transcendental instructions of the x87 FPU (SDM vol. 1, "Transcendental Instructions"): special operands as SDM vol. 2 has them, by mnemonic;
 * all others by {@link Series}, rounded from far more bits than 64, so that the error is below 0.51 units in the last place.
 */
final class X87Functions {
    /** Below 2^TINY a function is its first term, but for what rounding sees. */
    private static final int TINY = -70;

    private final X87Unit unit;
    private final SoftFloat soft;
    private final Real x = new Real();
    private final Real y = new Real();
    private final Real r = new Real();
    private final Real second = new Real();

    X87Functions(X87Unit unit) {
        this.unit = unit;
        this.soft = unit.soft;
    }

    void execute(Insn i) {
        boolean two = i.op == Op.FYL2X || i.op == Op.FYL2XP1 || i.op == Op.FPATAN;
        boolean pushes = i.op == Op.FPTAN || i.op == Op.FSINCOS;
        if (unit.empty(0) || two && unit.empty(1)) {
            if (unit.underflow()) {
                unit.setIndefinite(two ? 1 : 0);
                unit.pop(two ? 1 : 0);
                if (pushes) {
                    unit.turn(-1);
                    unit.setIndefinite(0);
                }
            }
            return;
        }
        if (pushes && !unit.empty(7)) {
            if (unit.overflow()) {
                unit.setIndefinite(0);
                unit.turn(-1);
                unit.setIndefinite(0);
            }
            return;
        }
        unit.get(0, x);
        if (two) {
            unit.get(1, y);
            if (!soft.nan(x, y, r)) {
                boolean denormal = x.denormal || y.denormal;
                binary(i.op);
                soft.raised |= denormal && (soft.raised & SoftFloat.IE) == 0 ? SoftFloat.DE : 0;
            }
            if (unit.settle()) {
                unit.set(1, r);
                unit.pop(1);
            }
        } else if (i.op == Op.F2XM1) {
            if (!soft.nan(x, x, r)) {
                soft.raised |= x.denormal ? SoftFloat.DE : 0;
                power();
            }
            if (unit.settle()) {
                unit.set(0, r);
            }
        } else {
            angle(i.op);
        }
    }

    private void angle(Op op) {
        if (x.kind == Real.FINITE && x.exponent >= 63) {
            unit.conditions(X87Unit.C2 | X87Unit.C1, X87Unit.C2);
            return;
        }
        second.finite(false, 0, Long.MIN_VALUE);
        if (soft.nan(x, x, r)) {
            second.set(r);
        } else if (x.kind == Real.INFINITE) {
            soft.invalid(r);
            second.set(r);
        } else {
            soft.raised |= x.denormal ? SoftFloat.DE : 0;
            if (op == Op.FSINCOS) {
                cosine(second);
            }
            if (op == Op.FCOS) {
                cosine(r);
            } else if (x.kind == Real.ZERO) {
                r.set(x);
            } else if (x.exponent < TINY) {
                near(x, op == Op.FPTAN);
            } else {
                Series s = Series.angle(x);
                Series.emit(op == Op.FPTAN ? s.tangent() : s.sine(), soft, r);
            }
        }
        if (unit.settle()) {
            unit.conditions(X87Unit.C2, 0);
            unit.set(0, r);
            if (op == Op.FPTAN || op == Op.FSINCOS) {
                unit.push(second);
            }
        }
    }

    /** {@code of}, made a little larger or smaller in magnitude: what rounds as a function that begins with its argument. */
    private void near(Real of, boolean larger) {
        soft.normal(of.negative, of.exponent, larger ? of.significand : of.significand - 1, larger ? 1 : -1, r);
    }

    private void cosine(Real to) {
        if (x.kind == Real.ZERO) {
            to.finite(false, 0, Long.MIN_VALUE);
        } else if (x.exponent < TINY) {
            soft.normal(false, -1, -1, -1, to);
        } else {
            Series s = Series.angle(x);
            Series.emit(s.cosine(), soft, to);
        }
    }

    private void power() {
        if (x.kind == Real.ZERO || x.kind == Real.FINITE && x.exponent > 0) {
            // Beyond ±1 it is undefined.
            r.set(x);
        } else if (x.kind == Real.INFINITE) {
            if (x.negative) {
                r.finite(true, 0, Long.MIN_VALUE);
            } else {
                r.infinite(false);
            }
        } else if (x.exponent == 0) {
            r.finite(x.negative, x.negative ? -1 : 0, Long.MIN_VALUE);
        } else if (x.exponent < TINY) {
            Series.emit(x.negative, unsigned(x).multiply(Series.LN2), x.exponent - 63 - Series.BITS, soft, r);
        } else {
            Series.emit(Series.powerLessOne(x), soft, r);
        }
    }

    private static BigInteger unsigned(Real of) {
        return new BigInteger(Long.toUnsignedString(of.significand));
    }

    private void binary(Op op) {
        if (op == Op.FPATAN) {
            arctangent();
        } else if (op == Op.FYL2X) {
            logarithm();
        } else {
            logarithmOfOnePlus();
        }
    }

    private void arctangent() {
        boolean behind = x.negative;
        if (y.kind == Real.ZERO || x.kind == Real.INFINITE && y.kind != Real.INFINITE) {
            if (behind) {
                Series.emit(y.negative, Series.PI, -Series.BITS, soft, r);
            } else {
                r.zero(y.negative);
            }
        } else if (x.kind == Real.ZERO || y.kind == Real.INFINITE && x.kind != Real.INFINITE) {
            Series.emit(y.negative, Series.PI, -Series.BITS - 1, soft, r);
        } else if (y.kind == Real.INFINITE) {
            BigInteger quarters = behind ? Series.PI.multiply(BigInteger.valueOf(3)) : Series.PI;
            Series.emit(y.negative, quarters, -Series.BITS - 2, soft, r);
        } else if (!behind && y.exponent - x.exponent < TINY) {
            int shift = 192;
            BigInteger[] q = unsigned(y).shiftLeft(shift).divideAndRemainder(unsigned(x));
            // An exact quotient is a little too much.
            BigInteger t = q[1].signum() == 0 ? q[0].subtract(BigInteger.ONE) : q[0];
            Series.emit(y.negative, t, y.exponent - x.exponent - shift, soft, r);
        } else {
            Series.emit(y.negative, Series.arctangent(y, x), -Series.BITS, soft, r);
        }
    }

    private void logarithm() {
        if (x.kind == Real.ZERO) {
            if (y.kind == Real.ZERO) {
                soft.invalid(r);
            } else {
                soft.raised |= y.kind == Real.INFINITE ? 0 : SoftFloat.ZE;
                r.infinite(!y.negative);
            }
            return;
        }
        if (x.negative) {
            soft.invalid(r);
            return;
        }
        boolean one = x.kind == Real.FINITE && x.exponent == 0 && x.significand == Long.MIN_VALUE;
        boolean below = x.kind == Real.FINITE && x.exponent < 0;
        if (y.kind == Real.INFINITE) {
            infinity(one, y.negative != below);
        } else if (x.kind == Real.INFINITE) {
            infinity(y.kind == Real.ZERO, y.negative);
        } else if (y.kind == Real.ZERO || one) {
            r.zero(y.negative != below);
        } else if (x.significand == Long.MIN_VALUE) {
            second.integer(x.exponent);
            soft.multiply(second, y, r);
        } else {
            product(Series.binaryLogarithm(x));
        }
    }

    private void infinity(boolean invalid, boolean negative) {
        if (invalid) {
            soft.invalid(r);
        } else {
            r.infinite(negative);
        }
    }

    private void product(BigInteger logarithm) {
        Series.emit(y.negative != logarithm.signum() < 0, logarithm.abs().multiply(unsigned(y)), y.exponent - 63 - Series.BITS, soft, r);
    }

    private void logarithmOfOnePlus() {
        if (x.kind == Real.ZERO || y.kind == Real.ZERO || y.kind == Real.INFINITE || x.kind == Real.INFINITE) {
            boolean infinite = x.kind == Real.INFINITE || y.kind == Real.INFINITE;
            boolean zero = x.kind == Real.ZERO || y.kind == Real.ZERO;
            if (infinite && zero || x.kind == Real.INFINITE && x.negative) {
                soft.invalid(r);
            } else if (infinite) {
                r.infinite(x.negative != y.negative);
            } else {
                r.zero(x.negative != y.negative);
            }
        } else if (x.negative && x.exponent >= 0) {
            soft.invalid(r);
        } else if (x.exponent < TINY) {
            Series.emit(x.negative != y.negative, unsigned(x).multiply(unsigned(y)).shiftLeft(Series.BITS).divide(Series.LN2), x.exponent + y.exponent - 126,
                    soft, r);
        } else {
            product(Series.binaryLogarithmOfOnePlus(x));
        }
    }
}
