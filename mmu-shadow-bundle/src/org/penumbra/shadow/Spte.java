package org.penumbra.shadow;

import org.penumbra.kit.MmioSptes;
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
 *  bit  9      ignored; of a leaf: it may be written as far as guest, host and shadowed tables go. KVM: MMU_WRITABLE, HOST_WRITABLE
 *  bits 50:12  frame of the next table or page
 *  bit  51     with P = 1: no mapping, but an MMIO spte (see MmioSptes); reserved for the processor, whose addresses are shorter
 *  bit  63     XD    execute-disable
 * </pre>
 *
 * An entry that is not present is 0, which names frame 0, where no secret is (see {@link MmioSptes} on L1TF).
 */
final class Spte {
    static final long PRESENT = 1;
    static final long WRITABLE = 1 << 1;
    static final long USER = 1 << 2;
    static final long ACCESSED = 1 << 5;
    static final long DIRTY = 1 << 6;
    static final long LARGE = 1 << 7;
    static final long MAY_WRITE = 1 << 9;
    static final long NX = 1L << 63;
    private static final long MMIO = 1L << 51;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private Spte() {}

    /** True if {@code spte} maps a page or points at a table. KVM: is_shadow_present_pte. */
    static boolean present(long spte) {
        return (spte & (PRESENT | MMIO)) == PRESENT;
    }

    /** The MMIO sptes of a processor with {@code physicalAddressBits}; null if it has no reserved bit to mark them by, as in KVM. */
    static MmioSptes mmio(int physicalAddressBits) {
        return physicalAddressBits > 51 ? null : new MmioSptes(PRESENT | MMIO, PRESENT | MMIO, WRITABLE | USER, physicalAddressBits);
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

    /** {@link Rights} to write and to user accesses, as bits of an spte. */
    static long rightsBits(int rights) {
        return ((rights & Rights.WRITE) != 0 ? WRITABLE : 0) | ((rights & Rights.USER) != 0 ? USER : 0);
    }

    /** What {@link #rightsBits} made of them. */
    static int rights(long bits) {
        return ((bits & WRITABLE) != 0 ? Rights.WRITE : 0) | ((bits & USER) != 0 ? Rights.USER : 0);
    }

    /** A leaf of {@code level} with {@code rights}. */
    static long page(long pfn, int level, int rights) {
        long spte = pfn << 12 | PRESENT | ACCESSED;
        spte |= level > 1 ? LARGE : 0;
        spte |= rightsBits(rights) | ((rights & Rights.WRITE) != 0 ? DIRTY : 0);
        return (rights & Rights.EXEC) != 0 ? spte : spte | NX;
    }
}
