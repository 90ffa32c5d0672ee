package org.penumbra.shadow;

import org.penumbra.kit.Rights;

/**
 * Shadow page-table entries: what the hardware walks, so the format that PAE, 4-level and 5-level paging have in common (SDM vol. 3,
 * "PAE Paging", "4-Level Paging and 5-Level Paging").
 *
 * <pre>
 *  bit  0      P     present
 *  bit  1      R/W   writable
 *  bit  2      U/S   user
 *  bit  5      A     accessed; set when the entry is made, the guest's own bit is kept by the walk that precedes it
 *  bit  6      D     dirty; set with R/W, for the same reason
 *  bit  7      PS    maps 2 MiB, in level 2
 *  bits 51:12  frame of the next table or page
 *  bit  63     XD    execute-disable
 * </pre>
 */
final class Spte {
    static final long PRESENT = 1;
    static final long WRITABLE = 1 << 1;
    static final long USER = 1 << 2;
    static final long ACCESSED = 1 << 5;
    static final long DIRTY = 1 << 6;
    static final long LARGE = 1 << 7;
    static final long NX = 1L << 63;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private Spte() {}

    static boolean present(long spte) {
        return (spte & PRESENT) != 0;
    }

    static boolean writable(long spte) {
        return (spte & WRITABLE) != 0;
    }

    /** True if {@code spte} of {@code level} maps a page rather than pointing at a table. */
    static boolean leaf(long spte, int level) {
        return level == 1 || (spte & LARGE) != 0;
    }

    static long address(long spte) {
        return spte & ADDRESS;
    }

    static long pfn(long spte) {
        return address(spte) >>> 12;
    }

    /** An entry that points at the shadow page whose table is at {@code spt}; rights are in the leaves and the roles. */
    static long table(long spt) {
        return spt | PRESENT | WRITABLE | USER | ACCESSED;
    }

    /** A PDPTE of PAE paging, which has no rights, for the page directory at {@code spt}. */
    static long pdpte(long spt) {
        return spt | PRESENT;
    }

    /** Index into a shadow page of {@code level} for {@code gva}. */
    static int index(long gva, int level) {
        return (int) (gva >>> 12 + 9 * (level - 1)) & 511;
    }

    /** A leaf of {@code level} with {@code rights}. */
    static long page(long pfn, int level, int rights) {
        long spte = pfn << 12 | PRESENT | ACCESSED;
        spte |= level > 1 ? LARGE : 0;
        spte |= (rights & Rights.WRITE) != 0 ? WRITABLE | DIRTY : 0;
        spte |= (rights & Rights.USER) != 0 ? USER : 0;
        return (rights & Rights.EXEC) != 0 ? spte : spte | NX;
    }
}
