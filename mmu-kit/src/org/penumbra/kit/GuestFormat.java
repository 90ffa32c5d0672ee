package org.penumbra.kit;

/**
 * A format of guest paging-structure entries, as data: what {@link GuestWalker} needs to walk tables of that format and what an
 * MMU needs to shadow them.
 *
 * <pre>
 *  4-level paging (SDM vol. 3, "4-Level Paging and 5-Level Paging", tables of entry formats)
 *  bit  0      P     present
 *  bit  1      R/W   writable
 *  bit  2      U/S   user
 *  bit  5      A     accessed
 *  bit  6      D     dirty, in a leaf
 *  bit  7      PS    maps a page, in levels 2 and 3; reserved (0) in level 4
 *  bits 51:12  frame of the next table or page
 *  bit  63     XD    execute-disable; reserved while EFER.NXE = 0
 * </pre>
 *
 * @param levels number of levels
 * @param indexBits index bits per level
 * @param largestLeaf highest level at which bit 7 maps a page
 * @param addressMask bits of an entry that hold an address
 */
public record GuestFormat(int levels, int indexBits, int largestLeaf, long addressMask) {
    public static final long PRESENT = 1;
    public static final long WRITABLE = 1 << 1;
    public static final long USER = 1 << 2;
    public static final long ACCESSED = 1 << 5;
    public static final long DIRTY = 1 << 6;
    public static final long LARGE = 1 << 7;
    public static final long NX = 1L << 63;

    /** 4-level paging. */
    public static final GuestFormat FOUR_LEVEL = new GuestFormat(4, 9, 3, 0x000f_ffff_ffff_f000L);

    /** Index into the table of {@code level} for {@code gva}. */
    public int index(long gva, int level) {
        return (int) (gva >>> shift(level)) & (1 << indexBits) - 1;
    }

    /** Number of address bits that an entry of {@code level} leaves to the page or the tables below. */
    public int shift(int level) {
        return 12 + indexBits * (level - 1);
    }

    /** True if {@code gpte} of {@code level} maps a page. */
    public boolean isLeaf(long gpte, int level) {
        return level == 1 || level <= largestLeaf && (gpte & LARGE) != 0;
    }

    /** Guest frame in {@code gpte}: of the next table, or the first of the page. */
    public long gfn(long gpte) {
        return (gpte & addressMask) >>> 12;
    }

    /** Bits of a present {@code gpte} of {@code level} that must be 0 but are not, with MAXPHYADDR {@code physicalBits}. */
    public long reservedBits(long gpte, int level, boolean nxe, int physicalBits) {
        long reserved = addressMask & -(1L << physicalBits) | (nxe ? 0 : NX);
        if (level > largestLeaf) {
            reserved |= LARGE;
        } else if (level > 1 && (gpte & LARGE) != 0) {
            // Bit 12 of a large page is PAT; the bits from 13 to the page size are reserved.
            reserved |= (1L << shift(level)) - 1 & ~0x1fffL;
        }
        return gpte & reserved;
    }

    /** {@link Rights} that {@code gpte} grants by itself. */
    public int rights(long gpte) {
        int rights = (gpte & NX) == 0 ? Rights.EXEC : 0;
        rights |= (gpte & WRITABLE) != 0 ? Rights.WRITE : 0;
        return rights | ((gpte & USER) != 0 ? Rights.USER : 0);
    }
}
