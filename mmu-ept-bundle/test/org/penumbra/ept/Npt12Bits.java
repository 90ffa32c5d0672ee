package org.penumbra.ept;

/** Bits of the entries of a guest hypervisor's nested tables (APM vol. 2, "Nested Page Tables"), which {@link Ept12Tables} builds. */
final class Npt12Bits {
    static final long P = 1;
    static final long W = 1 << 1;
    static final long U = 1 << 2;
    static final long A = 1 << 5;
    static final long D = 1 << 6;
    static final long NX = 1L << 63;
    /** Everything is allowed to a user, as which every access counts. */
    static final long LEAF = P | W | U;

    private Npt12Bits() {}
}
