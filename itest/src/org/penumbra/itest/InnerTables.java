package org.penumbra.itest;

import org.penumbra.api.guest.StepBuffer;

/**
 * Tables of four levels that a guest hypervisor keeps for its guest (L2), in its own memory: EPT12 or NPT12. The leaves for the first 8 MiB lie
 * in a row.
 *
 * @param root address of the uppermost table
 * @param flags what a leaf has beside the frame
 */
record InnerTables(long root, long flags) {
    /** Read, write and execute of EPT; P, R/W and U/S of nested tables. */
    static final long ALL = 7;

    /** Writes the upper tables for the first {@code leafTables} times 2 MiB. */
    void upper(StepBuffer s, int leafTables) {
        s.store(root, 8, root + 0x1000 | ALL);
        s.store(root + 0x1000, 8, root + 0x2000 | ALL);
        for (long t = 0; t < leafTables; t++) {
            s.store(root + 0x2000 + 8 * t, 8, root + 0x3000 + (t << 12) | ALL);
        }
    }

    /** Maps the first 8 MiB of L2 where they are in L1, by 4 KiB. */
    void identity(StepBuffer s) {
        upper(s, 4);
        for (long gfn = 0; gfn < 4 << 9; gfn++) {
            map(s, gfn);
        }
    }

    /** Maps {@code gfn} of L2 where it is in L1. */
    void map(StepBuffer s, long gfn) {
        s.store(leaf(gfn), 8, gfn << 12 | flags);
    }

    /** Where the leaf for {@code gfn} of L2 is. */
    long leaf(long gfn) {
        return root + 0x3000 + 8 * gfn;
    }
}
