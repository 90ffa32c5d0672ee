package org.penumbra.kit.shadow;

/**
 * What is the same in shadow page-table entries of every {@link SpteFormat}.
 *
 * <pre>
 *  bit  1      writable
 *  bit  7      maps 2 MiB, in level 2
 *  bit  11     ignored; of a leaf: it may be written as far as guest, host and shadowed tables go. KVM: MMU_WRITABLE, HOST_WRITABLE
 *  bits 51:12  frame of the next table or page
 * </pre>
 *
 * An entry that is not present is 0, which names frame 0, where no secret is (see {@link org.penumbra.kit.MmioSptes} on L1TF).
 */
final class Spte {
    static final long WRITABLE = 1 << 1;
    static final long LARGE = 1 << 7;
    static final long MAY_WRITE = 1 << 11;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private Spte() {}

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

    /** Index into a shadow page of {@code level} for {@code gva}. */
    static int index(long gva, int level) {
        return (int) (gva >>> 12 + 9 * (level - 1)) & 511;
    }
}
