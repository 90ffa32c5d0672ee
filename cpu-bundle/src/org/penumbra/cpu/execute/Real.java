package org.penumbra.cpu.execute;

/**
 * A floating-point number, unpacked: ±significand × 2<sup>exponent − 63</sup>. The significand of a finite one has its top bit set, but for what
 * rounding has made a denormal. That of a NaN is as in double extended format: bit 62 is set in a quiet one.
 *
 * <pre>
 *  single            31 sign   30:23 exponent + 127     22:0 fraction
 *  double            63 sign   62:52 exponent + 1023    51:0 fraction
 *  double extended   79 sign   78:64 exponent + 16383   63 integer bit   62:0 fraction
 * </pre>
 */
final class Real {
    static final int ZERO = 0;
    static final int FINITE = 1;
    static final int INFINITE = 2;
    static final int NAN = 3;
    /** Double extended without integer bit where there must be one (SDM vol. 1, "Unsupported Double Extended-Precision … Encodings"). */
    static final int UNSUPPORTED = 4;
    private static final long TOP = Long.MIN_VALUE;
    private static final long QUIET = 1L << 62;

    int kind;
    boolean negative;
    int exponent;
    long significand;
    /** Has come from memory or a register as a denormal. */
    boolean denormal;

    void set(Real other) {
        kind = other.kind;
        negative = other.negative;
        exponent = other.exponent;
        significand = other.significand;
        denormal = other.denormal;
    }

    private void special(int what, boolean sign) {
        kind = what;
        negative = sign;
        significand = what == INFINITE ? TOP : 0;
        exponent = 0;
        denormal = false;
    }

    void zero(boolean sign) {
        special(ZERO, sign);
    }

    void infinite(boolean sign) {
        special(INFINITE, sign);
    }

    /** The NaN that invalid operations give: SDM vol. 1, "QNaN Floating-Point Indefinite". */
    void indefinite() {
        special(NAN, true);
        significand = TOP | QUIET;
    }

    void finite(boolean sign, int exp, long sig) {
        kind = FINITE;
        negative = sign;
        exponent = exp;
        significand = sig;
        denormal = false;
    }

    boolean signalling() {
        return kind == NAN && (significand & QUIET) == 0;
    }

    void quiet() {
        significand |= QUIET;
    }

    void single(int bits) {
        unpack(bits < 0, bits >>> 23 & 0xff, (long) bits << 41 >>> 1, 0xff, -127);
    }

    void dbl(long bits) {
        unpack(bits < 0, (int) (bits >>> 52) & 0x7ff, bits << 12 >>> 1, 0x7ff, -1023);
    }

    private void unpack(boolean sign, int biased, long fraction, int most, int bias) {
        denormal = false;
        if (biased == 0) {
            if (fraction == 0) {
                zero(sign);
            } else {
                int shift = Long.numberOfLeadingZeros(fraction);
                finite(sign, bias + 1 - shift, fraction << shift);
                denormal = true;
            }
        } else if (biased < most) {
            finite(sign, biased + bias, fraction | TOP);
        } else if (fraction == 0) {
            infinite(sign);
        } else {
            special(NAN, sign);
            significand = fraction | TOP;
        }
    }

    /** @param top sign and biased exponent */
    void extended(int top, long sig) {
        boolean sign = (top & 0x8000) != 0;
        int biased = top & 0x7fff;
        if (biased == 0) {
            // A pseudo-denormal has its integer bit set and counts as a denormal.
            if (sig == 0) {
                zero(sign);
            } else {
                int shift = Long.numberOfLeadingZeros(sig);
                finite(sign, -16382 - shift, sig << shift);
                denormal = true;
            }
        } else if (sig >= 0) {
            special(UNSUPPORTED, sign);
        } else {
            unpack(sign, biased, sig & ~TOP, 0x7fff, -16383);
        }
    }

    /** As an integer is. */
    void integer(long value) {
        if (value == 0) {
            zero(false);
        } else {
            long magnitude = Math.abs(value);
            int shift = Long.numberOfLeadingZeros(magnitude);
            finite(value < 0, 63 - shift, magnitude << shift);
        }
    }

    int toSingle() {
        return (int) pack(8, 23);
    }

    long toDouble() {
        return pack(11, 52);
    }

    private long pack(int exponentBits, int fractionBits) {
        long all = (1L << exponentBits) - 1;
        long biased = kind == ZERO || kind == FINITE && significand >= 0 ? 0 : kind == FINITE ? exponent + (all >>> 1) : all;
        return (negative ? 1L : 0) << exponentBits + fractionBits | biased << fractionBits | significand << 1 >>> 64 - fractionBits;
    }

    /** Sign and biased exponent of the double extended format; {@link #significand} is the rest. */
    int toExtendedTop() {
        int biased = kind == ZERO || kind == FINITE && significand >= 0 ? 0 : kind == FINITE ? exponent + 16383 : 0x7fff;
        return (negative ? 0x8000 : 0) | biased;
    }
}
