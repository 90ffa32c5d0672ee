package org.penumbra.api.cpu;

/**
 * The state that XSAVE and its kin manage, by components (SDM vol. 1, "Managing State Using the XSAVE Feature Set"); their places in the area are
 * those of AMD's processors, which CPUID tells.
 *
 * <pre>
 *  bit   component                         bytes   at
 *    0   x87                                 160    0   with the header's 64 bytes at 512
 *    1   SSE: XMM registers                  256  160
 *    2   AVX: bits 255:128 of YMM            256  576
 *    9   PKRU                                  8  832
 * </pre>
 */
public final class ExtendedState {
    public static final long X87 = 1;
    public static final long SSE = 1 << 1;
    public static final long AVX = 1 << 2;
    public static final long PKRU = 1 << 9;
    /** What XCR0 may have. */
    public static final long SUPPORTED = X87 | SSE | AVX | PKRU;
    public static final int HEADER = 512;
    public static final int AVX_AT = 576;
    public static final int AVX_BYTES = 256;
    public static final int PKRU_AT = 832;
    public static final int PKRU_BYTES = 8;

    private ExtendedState() {}

    /** May XCR0 become {@code value}? SDM vol. 1, "XCR0": x87 state always, AVX state only with SSE state. */
    public static boolean allowed(long value) {
        return (value & ~SUPPORTED) == 0 && (value & X87) != 0 && ((value & AVX) == 0 || (value & SSE) != 0);
    }

    /** Bytes of an area with the components {@code features}, standard format. */
    public static int bytes(long features) {
        return (features & PKRU) != 0 ? PKRU_AT + PKRU_BYTES : (features & AVX) != 0 ? AVX_AT + AVX_BYTES : AVX_AT;
    }
}
