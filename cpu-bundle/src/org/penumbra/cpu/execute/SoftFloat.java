package org.penumbra.cpu.execute;

/**
 * IEEE 754 arithmetic on significands of up to 64 bits with 64 more to round by: what SSE and the x87 FPU have in common (SDM vol. 1,
 * "Floating-Point Exceptions"). Results are rounded to {@link #precision} bits; the exceptions met are in {@link #raised}, and it is the caller's
 * to leave a result undone. Whether a result is tiny is decided after rounding.
 */
final class SoftFloat {
    /** Invalid, denormal, division by zero, overflow, underflow, precision: bits of MXCSR and of the FPU status word. */
    static final int IE = 1;
    static final int DE = 2;
    static final int ZE = 4;
    static final int OE = 8;
    static final int UE = 16;
    static final int PE = 32;
    /** Those that are known before there is a result. */
    static final int BEFORE = IE | DE | ZE;
    static final int NEAREST = 0;
    static final int DOWN = 1;
    static final int UP = 2;
    static final int ZERO = 3;
    /** What an unmasked overflow or underflow of the FPU moves the exponent by. */
    private static final int WRAP = 24576;
    private static final long TOP = Long.MIN_VALUE;

    int rounding;
    private int precision;
    private int least;
    private int most;
    /** Exceptions that are not masked. */
    int unmasked;
    /** Tiny results become 0 where underflow is masked. */
    boolean flush;
    /** Of two NaNs the larger counts, as the FPU does it, else the first. */
    boolean larger;
    /** Overflow and underflow that are not masked wrap the exponent, as the FPU does it in registers. */
    boolean wraps;
    int raised;
    /** The last rounding has increased the magnitude. */
    boolean up;
    /** The 64 bits below the significand of an exact result; the lowest is set if there is anything below. */
    private long rest;
    private final Real spare = new Real();

    void toSingle() {
        format(24, -126, 127);
    }

    void toDouble() {
        format(53, -1022, 1023);
    }

    /** Exponents as in double extended format, whatever the precision. */
    void toExtended(int bits) {
        format(bits, -16382, 16383);
    }

    private void format(int bits, int low, int high) {
        precision = bits;
        least = low;
        most = high;
    }

    /** True, with the answer in {@code r}, if an operand is no number. */
    boolean nan(Real a, Real b, Real r) {
        if (a.kind < Real.NAN && b.kind < Real.NAN) {
            return false;
        }
        if (a.kind == Real.UNSUPPORTED || b.kind == Real.UNSUPPORTED) {
            invalid(r);
            return true;
        }
        if (a.signalling() || b.signalling()) {
            raised |= IE;
        }
        r.set(larger ? larger(a, b) : a.kind == Real.NAN ? a : b);
        r.quiet();
        return true;
    }

    /** SDM vol. 1, table "Rules for Handling NaNs". */
    private static Real larger(Real a, Real b) {
        if (a.kind != Real.NAN || b.kind != Real.NAN) {
            return a.kind == Real.NAN ? a : b;
        }
        if (a.signalling() != b.signalling()) {
            return a.signalling() ? b : a;
        }
        int order = Long.compareUnsigned(a.significand, b.significand);
        return order > 0 || order == 0 && !a.negative ? a : b;
    }

    void invalid(Real r) {
        raised |= IE;
        r.indefinite();
    }

    private void denormals(Real a, Real b) {
        if (a.denormal || b.denormal) {
            raised |= DE;
        }
    }

    void add(Real a, Real b, boolean subtract, Real r) {
        if (nan(a, b, r)) {
            return;
        }
        boolean minus = b.negative != subtract;
        if (a.kind == Real.INFINITE && b.kind == Real.INFINITE && a.negative != minus) {
            invalid(r);
            return;
        }
        denormals(a, b);
        if (a.kind == Real.INFINITE || b.kind == Real.INFINITE) {
            r.infinite(a.kind == Real.INFINITE ? a.negative : minus);
        } else if (a.kind == Real.ZERO && b.kind == Real.ZERO) {
            r.zero(a.negative == minus ? minus : rounding == DOWN);
        } else if (a.kind == Real.ZERO || b.kind == Real.ZERO) {
            Real one = a.kind == Real.ZERO ? b : a;
            r.finite(one == b ? minus : a.negative, one.exponent, one.significand);
            rest = 0;
            round(r);
        } else if (a.negative == minus) {
            sum(a, b, r);
        } else {
            difference(a, b, r);
        }
    }

    private void sum(Real a, Real b, Real r) {
        boolean first = a.exponent >= b.exponent;
        Real big = first ? a : b;
        Real small = first ? b : a;
        boolean sign = a.negative;
        int exponent = big.exponent;
        long low = below(small.significand, exponent - small.exponent);
        long high = big.significand + above(small.significand, exponent - small.exponent);
        if (Long.compareUnsigned(high, big.significand) < 0) {
            low = high << 63 | low >>> 1 | low & 1;
            high = high >>> 1 | TOP;
            exponent++;
        }
        rest = low;
        r.finite(sign, exponent, high);
        round(r);
    }

    private void difference(Real a, Real b, Real r) {
        int order = a.exponent != b.exponent ? Integer.compare(a.exponent, b.exponent) : Long.compareUnsigned(a.significand, b.significand);
        if (order == 0) {
            r.zero(rounding == DOWN);
            return;
        }
        Real big = order > 0 ? a : b;
        Real small = order > 0 ? b : a;
        boolean sign = order > 0 ? a.negative : !a.negative;
        int exponent = big.exponent;
        long low = below(small.significand, exponent - small.exponent);
        long high = big.significand - above(small.significand, exponent - small.exponent) - (low != 0 ? 1 : 0);
        normal(sign, exponent, high, -low, r);
    }

    /** Shifts the top bit of high:low into place, and rounds. */
    void normal(boolean sign, int exponent, long high, long low, Real r) {
        int shift = high != 0 ? Long.numberOfLeadingZeros(high) : 64 + Long.numberOfLeadingZeros(low);
        if (shift >= 64) {
            high = low << shift - 64;
            low = 0;
        } else if (shift > 0) {
            high = high << shift | low >>> 64 - shift;
            low <<= shift;
        }
        rest = low;
        r.finite(sign, exponent - shift, high);
        round(r);
    }

    private static long above(long significand, int shift) {
        return shift < 64 ? significand >>> shift : 0;
    }

    /** What a shift to the right pushes out, as {@link #rest}. */
    private static long below(long significand, int shift) {
        if (shift <= 64) {
            return shift == 0 ? 0 : shift == 64 ? significand : significand << 64 - shift;
        }
        return shift >= 128 ? 1 : significand >>> shift - 64 | (significand << 128 - shift != 0 ? 1 : 0);
    }

    void multiply(Real a, Real b, Real r) {
        if (nan(a, b, r)) {
            return;
        }
        boolean sign = a.negative != b.negative;
        boolean infinite = a.kind == Real.INFINITE || b.kind == Real.INFINITE;
        boolean zero = a.kind == Real.ZERO || b.kind == Real.ZERO;
        if (infinite && zero) {
            invalid(r);
            return;
        }
        denormals(a, b);
        if (infinite) {
            r.infinite(sign);
        } else if (zero) {
            r.zero(sign);
        } else {
            normal(sign, a.exponent + b.exponent + 1, BitOps.unsignedHigh(a.significand, b.significand), a.significand * b.significand, r);
        }
    }

    void divide(Real a, Real b, Real r) {
        if (nan(a, b, r)) {
            return;
        }
        boolean sign = a.negative != b.negative;
        if (a.kind == b.kind && a.kind != Real.FINITE) {
            invalid(r);
        } else if (b.kind == Real.ZERO && a.kind == Real.FINITE) {
            raised |= ZE;
            r.infinite(sign);
        } else {
            denormals(a, b);
            if (a.kind == Real.INFINITE || b.kind == Real.ZERO) {
                r.infinite(sign);
            } else if (a.kind == Real.ZERO || b.kind == Real.INFINITE) {
                r.zero(sign);
            } else {
                quotient(sign, a, b, r);
            }
        }
    }

    private void quotient(boolean sign, Real a, Real b, Real r) {
        boolean halve = Long.compareUnsigned(a.significand, b.significand) >= 0;
        long divisor = b.significand;
        long high = halve ? a.significand >>> 1 : a.significand;
        long low = halve ? a.significand << 63 : 0;
        long q = 0;
        for (int bit = 0; bit < 64; bit++) {
            boolean carry = high < 0;
            high = high << 1 | low >>> 63;
            low <<= 1;
            q <<= 1;
            if (carry || Long.compareUnsigned(high, divisor) >= 0) {
                high -= divisor;
                q |= 1;
            }
        }
        rest = half(high < 0 || Long.compareUnsigned(high << 1, divisor) >= 0, high);
        r.finite(sign, a.exponent - b.exponent - (halve ? 0 : 1), q);
        round(r);
    }

    private static long half(boolean atLeast, long remainder) {
        return (atLeast ? TOP : 0) | (remainder != 0 ? 1 : 0);
    }

    void squareRoot(Real a, Real r) {
        if (nan(a, a, r)) {
            return;
        }
        if (a.kind == Real.ZERO || a.kind == Real.INFINITE && !a.negative) {
            r.set(a);
            return;
        }
        if (a.negative) {
            invalid(r);
            return;
        }
        denormals(a, a);
        boolean odd = (a.exponent & 1) != 0;
        long high = odd ? a.significand : a.significand >>> 1;
        long low = odd ? 0 : a.significand << 63;
        long root = 0;
        long remainder = 0;
        boolean over = false;
        // The remainder is at most twice the root: 65 bits, of which "over" is the top one.
        for (int pair = 0; pair < 64; pair++) {
            long top = (over ? 4 : 0) | remainder >>> 62;
            remainder = remainder << 2 | high >>> 62;
            high = high << 2 | low >>> 62;
            low <<= 2;
            long trial = root << 2 | 1;
            long trialTop = root >>> 62;
            root <<= 1;
            if (top > trialTop || top == trialTop && Long.compareUnsigned(remainder, trial) >= 0) {
                top -= trialTop + (Long.compareUnsigned(remainder, trial) < 0 ? 1 : 0);
                remainder -= trial;
                root |= 1;
            }
            over = top != 0;
        }
        rest = half(over || Long.compareUnsigned(remainder, root) > 0, over ? 1 : remainder);
        r.finite(false, a.exponent >> 1, root);
        round(r);
    }

    /** {@code r} is {@code a} in the format. */
    void convert(Real a, Real r) {
        if (nan(a, a, r)) {
            return;
        }
        denormals(a, a);
        r.set(a);
        rest = 0;
        round(r);
    }

    /** Makes an exact {@code r} what the format has for it: a denormal perhaps. */
    void normalize(Real r) {
        rest = 0;
        round(r);
    }

    private boolean increases(boolean negative, boolean odd, long lost) {
        switch (rounding) {
            case NEAREST:
                return lost < 0 && (lost != TOP || odd);
            case DOWN:
                return lost != 0 && negative;
            case UP:
                return lost != 0 && !negative;
            default:
                return false;
        }
    }

    private long lost(long significand, long low) {
        return precision == 64 ? low : significand << precision | (low != 0 ? 1 : 0);
    }

    /** Rounds {@code r} with {@link #rest} to the format, and raises what that raises. */
    private void round(Real r) {
        up = false;
        if (r.kind != Real.FINITE) {
            return;
        }
        int drop = 64 - precision;
        long significand = r.significand;
        long low = rest;
        int exponent = r.exponent;
        boolean tiny = exponent < least && !(exponent == least - 1 && significand >>> drop == -1L >>> drop
                && increases(r.negative, true, lost(significand, low)));
        boolean trapped = tiny && (unmasked & UE) != 0;
        if (trapped) {
            raised |= UE;
            exponent += wraps ? WRAP : 0;
            if (wraps && exponent < least) {
                // SDM vol. 1, "Numeric Underflow Exception": FSCALE can go further than that.
                raised |= PE;
                r.zero(r.negative);
                return;
            }
        } else if (tiny && flush) {
            raised |= UE | PE;
            r.zero(r.negative);
            return;
        } else if (exponent < least) {
            int shift = least - exponent;
            low = shift < 64 ? significand << 64 - shift | (low != 0 ? 1 : 0) : below(significand, shift) | (low != 0 ? 1 : 0);
            significand = above(significand, shift);
            exponent = least;
        }
        long lost = lost(significand, low);
        significand = significand >>> drop << drop;
        if (lost != 0) {
            raised |= tiny ? UE | PE : PE;
            if (increases(r.negative, (significand >>> drop & 1) != 0, lost)) {
                up = true;
                significand += 1L << drop;
                if (significand == 0) {
                    significand = TOP;
                    exponent++;
                }
            }
        }
        if (significand == 0) {
            r.zero(r.negative);
            return;
        }
        r.finite(r.negative, exponent, significand);
        if (exponent > most) {
            overflow(r);
        }
    }

    private void overflow(Real r) {
        raised |= OE;
        if ((unmasked & OE) != 0) {
            r.exponent -= wraps ? WRAP : 0;
            if (wraps && r.exponent > most) {
                raised |= PE;
                up = true;
                r.infinite(r.negative);
            }
            return;
        }
        raised |= PE;
        up = rounding == NEAREST || rounding == DOWN && r.negative || rounding == UP && !r.negative;
        if (up) {
            r.infinite(r.negative);
        } else {
            r.finite(r.negative, most, -1L << 64 - precision);
        }
    }

    /**
     * {@code a} as a signed integer of {@code bytes}, rounded; the integer indefinite, and invalid, if it is none. A precision exception is
     * raised only if {@code a} fits.
     */
    long integer(Real a, int bytes) {
        long indefinite = TOP >> 64 - 8 * bytes;
        up = false;
        if (a.kind == Real.ZERO) {
            return 0;
        }
        long most = ~indefinite;
        if (a.kind == Real.FINITE && a.exponent < 64) {
            long low = below(a.significand, 63 - a.exponent);
            long magnitude = above(a.significand, 63 - a.exponent);
            boolean more = increases(a.negative, (magnitude & 1) != 0, low);
            magnitude += more ? 1 : 0;
            boolean fits = magnitude >= 0 ? magnitude <= most || a.negative && magnitude == most + 1 : a.negative && magnitude == indefinite;
            if (fits && !(more && magnitude == 0)) {
                raised |= low != 0 ? PE : 0;
                up = more;
                return a.negative ? -magnitude : magnitude;
            }
        }
        raised |= IE;
        return indefinite;
    }

    /** {@code a} rounded to an integral value. */
    void integral(Real a, Real r) {
        up = false;
        if (nan(a, a, r)) {
            return;
        }
        r.set(a);
        if (a.kind != Real.FINITE || a.exponent >= 63) {
            return;
        }
        long low = below(a.significand, 63 - a.exponent);
        long magnitude = above(a.significand, 63 - a.exponent);
        if (low == 0) {
            return;
        }
        raised |= PE;
        up = increases(a.negative, (magnitude & 1) != 0, low);
        magnitude += up ? 1 : 0;
        boolean sign = a.negative;
        if (magnitude == 0) {
            r.zero(sign);
        } else {
            int shift = Long.numberOfLeadingZeros(magnitude);
            r.finite(sign, 63 - shift, magnitude << shift);
        }
    }

    /** −1, 0, 1, or 2 if they have no order, which is invalid if {@code signals} or a NaN is signalling. */
    int compare(Real a, Real b, boolean signals) {
        if (a.kind >= Real.NAN || b.kind >= Real.NAN) {
            nan(a, b, spare);
            raised |= signals ? IE : 0;
            return 2;
        }
        denormals(a, b);
        if (a.kind == Real.ZERO && b.kind == Real.ZERO) {
            return 0;
        }
        boolean aMinus = a.kind != Real.ZERO && a.negative;
        boolean bMinus = b.kind != Real.ZERO && b.negative;
        if (aMinus != bMinus) {
            return aMinus ? -1 : 1;
        }
        int order = magnitude(a, b);
        return aMinus ? -order : order;
    }

    /** Compares absolute values. */
    static int magnitude(Real a, Real b) {
        if (a.kind != b.kind) {
            return Integer.compare(a.kind, b.kind);
        }
        if (a.kind != Real.FINITE) {
            return 0;
        }
        return a.exponent != b.exponent ? Integer.compare(a.exponent, b.exponent) : Long.compareUnsigned(a.significand, b.significand) < 0 ? -1
                : a.significand == b.significand ? 0 : 1;
    }
}
