package org.penumbra.cpu.execute;

import java.math.BigInteger;

/** Elementary functions by power series on fixed-point numbers of {@link #BITS} bits after the point. */
final class Series {
    static final int BITS = 320;
    private static final BigInteger ONE = BigInteger.ONE.shiftLeft(BITS);
    /** Machin's formula. */
    static final BigInteger PI = inverseTangent(5).shiftLeft(4).subtract(inverseTangent(239).shiftLeft(2));
    /** The π of 66 bits that arguments are reduced by: SDM vol. 1, "Approximation of Pi". */
    private static final BigInteger REDUCING = new BigInteger("c90fdaa22168c234c", 16).shiftLeft(BITS - 66);
    /** 2 artanh(1/3). */
    static final BigInteger LN2 = inverseHyperbolic(ONE.divide(BigInteger.valueOf(3))).shiftLeft(1);

    /** The angle after reduction to at most π/4 in magnitude, and the quadrant it came from. */
    private BigInteger reduced;
    private int quadrant;

    /** arctan(1/n). */
    private static BigInteger inverseTangent(int n) {
        BigInteger square = BigInteger.valueOf((long) n * n);
        BigInteger power = ONE.shiftLeft(32).divide(BigInteger.valueOf(n));
        BigInteger sum = power;
        for (int k = 3; power.signum() != 0; k += 2) {
            power = power.divide(square);
            BigInteger term = power.divide(BigInteger.valueOf(k));
            sum = (k & 2) != 0 ? sum.subtract(term) : sum.add(term);
        }
        return sum.shiftRight(32);
    }

    private static BigInteger times(BigInteger a, BigInteger b) {
        return a.multiply(b).shiftRight(BITS);
    }

    private static BigInteger over(BigInteger a, BigInteger b) {
        return a.shiftLeft(BITS).divide(b);
    }

    private static BigInteger fixed(Real of) {
        BigInteger value = new BigInteger(Long.toUnsignedString(of.significand)).shiftLeft(BITS - 63 + of.exponent);
        return of.negative ? value.negate() : value;
    }

    /** x + x³/3 + x⁵/5 … */
    private static BigInteger inverseHyperbolic(BigInteger x) {
        BigInteger square = times(x, x);
        BigInteger power = x;
        BigInteger sum = x;
        for (int k = 3; power.bitLength() > 1; k += 2) {
            power = times(power, square);
            sum = sum.add(power.divide(BigInteger.valueOf(k)));
        }
        return sum;
    }

    /** Ready for {@link #sine}, {@link #cosine} and {@link #tangent} of {@code x}, which is below 2^63. */
    static Series angle(Real x) {
        Series s = new Series();
        BigInteger angle = fixed(x);
        // The nearest multiple of π/2.
        BigInteger[] parts = angle.shiftLeft(2).add(REDUCING).divideAndRemainder(REDUCING.shiftLeft(1));
        BigInteger multiple = parts[1].signum() < 0 ? parts[0].subtract(BigInteger.ONE) : parts[0];
        s.reduced = angle.subtract(multiple.multiply(REDUCING).shiftRight(1));
        s.quadrant = multiple.intValue() & 3;
        return s;
    }

    /** The sum of xⁿ/n! with alternating signs, from {@code first} by twos. */
    private BigInteger alternating(int first) {
        BigInteger square = times(reduced, reduced);
        BigInteger term = first == 0 ? ONE : reduced;
        BigInteger sum = term;
        for (int n = first; term.signum() != 0 && term.bitLength() > 1; n += 2) {
            term = times(term, square).divide(BigInteger.valueOf((n + 1L) * (n + 2))).negate();
            sum = sum.add(term);
        }
        return sum;
    }

    BigInteger sine() {
        BigInteger value = alternating(1 - (quadrant & 1));
        return quadrant >= 2 ? value.negate() : value;
    }

    BigInteger cosine() {
        BigInteger value = alternating(quadrant & 1);
        return quadrant == 1 || quadrant == 2 ? value.negate() : value;
    }

    BigInteger tangent() {
        return over(sine(), cosine());
    }

    /** 2^x − 1. */
    static BigInteger powerLessOne(Real x) {
        BigInteger z = times(fixed(x), LN2);
        BigInteger term = z;
        BigInteger sum = z;
        for (int n = 2; term.bitLength() > 1; n++) {
            term = times(term, z).divide(BigInteger.valueOf(n));
            sum = sum.add(term);
        }
        return sum;
    }

    /** log₂ x, which is no power of 2. */
    static BigInteger binaryLogarithm(Real x) {
        return binaryLogarithm(new BigInteger(Long.toUnsignedString(x.significand)).shiftLeft(BITS - 63), x.exponent);
    }

    /** log₂ of {@code mantissa} × 2^exponent, which is between 1 and 2 first and then between ¾ and 1½, so that the sum does not cancel. */
    private static BigInteger binaryLogarithm(BigInteger mantissa, int exponent) {
        boolean upper = mantissa.compareTo(ONE.add(ONE.shiftRight(1))) > 0;
        BigInteger m = upper ? mantissa.shiftRight(1) : mantissa;
        BigInteger natural = inverseHyperbolic(over(m.subtract(ONE), m.add(ONE))).shiftLeft(1);
        return over(natural, LN2).add(ONE.multiply(BigInteger.valueOf(upper ? exponent + 1 : exponent)));
    }

    /** log₂ (1 + x). */
    static BigInteger binaryLogarithmOfOnePlus(Real x) {
        BigInteger value = fixed(x);
        if (x.exponent >= 0) {
            BigInteger all = value.add(ONE);
            int exponent = all.bitLength() - 1 - BITS;
            return binaryLogarithm(all.shiftRight(exponent), exponent);
        }
        return over(inverseHyperbolic(over(value, value.add(ONE.shiftLeft(1)))).shiftLeft(1), LN2);
    }

    /** The angle of (x, |y|), 0 to π. */
    static BigInteger arctangent(Real y, Real x) {
        int distance = y.exponent - x.exponent;
        BigInteger ySig = new BigInteger(Long.toUnsignedString(y.significand));
        BigInteger xSig = new BigInteger(Long.toUnsignedString(x.significand));
        boolean steep = distance > 0 || distance == 0 && ySig.compareTo(xSig) > 0;
        BigInteger small = steep ? xSig : ySig;
        BigInteger large = steep ? ySig : xSig;
        int shift = BITS - Math.abs(distance);
        BigInteger ratio = shift < 0 ? BigInteger.ZERO : small.shiftLeft(shift).divide(large);
        BigInteger angle = ofTangent(ratio);
        if (steep) {
            angle = x.negative ? PI.shiftRight(1).add(angle) : PI.shiftRight(1).subtract(angle);
        } else if (x.negative) {
            angle = PI.subtract(angle);
        }
        return angle;
    }

    /** arctan t for 0 ≤ t ≤ 1, halved thrice: t becomes t / (1 + √(1 + t²)). */
    private static BigInteger ofTangent(BigInteger tangent) {
        BigInteger t = tangent;
        for (int n = 0; n < 3; n++) {
            BigInteger root = ONE.add(times(t, t)).shiftLeft(BITS).sqrt();
            t = over(t, ONE.add(root));
        }
        BigInteger square = times(t, t);
        BigInteger power = t;
        BigInteger sum = t;
        for (int k = 3; power.bitLength() > 1; k += 2) {
            power = times(power, square).negate();
            sum = sum.add(power.divide(BigInteger.valueOf(k)));
        }
        return sum.shiftLeft(3);
    }

    /** Rounds {@code value} into {@code r}. */
    static void emit(BigInteger value, SoftFloat soft, Real r) {
        emit(value.signum() < 0, value.abs(), -BITS, soft, r);
    }

    /** Rounds {@code value} × 2^exponent, which is inexact, into {@code r}. */
    static void emit(boolean negative, BigInteger value, int exponent, SoftFloat soft, Real r) {
        int length = value.bitLength();
        BigInteger top = length > 128 ? value.shiftRight(length - 128) : value.shiftLeft(128 - length);
        soft.normal(negative, length - 1 + exponent, top.shiftRight(64).longValue(), top.longValue() | 1, r);
    }
}
