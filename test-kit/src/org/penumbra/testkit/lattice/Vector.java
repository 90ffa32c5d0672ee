package org.penumbra.testkit.lattice;

/** One situation, filled by {@link Lattice#decode}. Mutable and reused. */
final class Vector {
    long number;
    Lattice.Family family;
    /** Number of the {@link Controls}. */
    int control;
    /** Entries by level, see {@link Paths}. */
    long[] path;
    long gva;
    /** A kind of {@link org.penumbra.api.paging.Access}. */
    int access;
    /** EFLAGS.AC. */
    boolean ac;
    /** Of a load of the PDPTE registers: the entry's value, and which entry. */
    long pdpte;
    int pdpteIndex;
    /** Whether memory is loaded into the PDPTE registers after the change. */
    boolean loads;
}
