package org.penumbra.testkit.reference;

/**
 * A paging-structure entry of 4-level paging (SDM vol. 3, tables "Format of a PML4 Entry" to "Format of a Page-Table Entry").
 *
 * <pre>
 *  bit  0     P     present; while it is 0 every other bit is software's
 *  bit  1     R/W   writes are allowed in the region
 *  bit  2     U/S   the region is accessible to user mode
 *  bits 4:3         memory type
 *  bit  5     A     software used the entry for translation
 *  bit  6     D     leaf: software wrote to the page; ignored elsewhere
 *  bit  7     PS    PDPTE, PDE: the entry is a leaf of 1 GiB, 2 MiB; PML4E: reserved; PTE: memory type
 *  bit  8     G     leaf: global, if CR4.PGE = 1; ignored elsewhere
 *  bits 51:12       frame of the next table or of the page; in a large leaf bit 12 is memory type and the rest below the
 *                   page size is reserved; bits from MAXPHYADDR up are reserved
 *  bits 62:59       leaf: protection key, if CR4.PKE or CR4.PKS = 1; ignored elsewhere
 *  bit  63    XD    no instruction fetch, if EFER.NXE = 1; else reserved
 * </pre>
 *
 * Levels count from the leaf: 1 PTE, 2 PDE, 3 PDPTE, 4 PML4E.
 */
public final class EntryBits {
    public static final long P = 1L;
    public static final long RW = 1L << 1;
    public static final long US = 1L << 2;
    public static final long A = 1L << 5;
    public static final long D = 1L << 6;
    public static final long PS = 1L << 7;
    public static final long G = 1L << 8;
    public static final long XD = 1L << 63;
    /** Bits 51:12. */
    public static final long FRAME = 0x000f_ffff_ffff_f000L;
    /** The levels of 4-level paging. */
    public static final int LEVELS = 4;

    private static final String[] NAMES = {"", "PTE", "PDE", "PDPTE", "PML4E"};

    private EntryBits() {}

    /** The manual's name of an entry at {@code level}. */
    public static String name(int level) {
        return NAMES[level];
    }

    /** log2 of the bytes that an entry at {@code level} maps: 12, 21, 30, 39. */
    public static int shift(int level) {
        return 12 + 9 * (level - 1);
    }

    /** Which entry of a table at {@code level} serves {@code gva}. */
    public static int index(long gva, int level) {
        return (int) (gva >>> shift(level)) & 511;
    }

    /** True if {@code entry}, present at {@code level}, maps a page and not a table. */
    public static boolean isLeaf(long entry, int level) {
        return level == 1 || level < LEVELS && (entry & PS) != 0;
    }

    /** The gpa of {@code gva} in the page that the leaf {@code entry} at {@code level} maps. */
    public static long gpa(long entry, int level, long gva) {
        long offset = (1L << shift(level)) - 1;
        return entry & FRAME & ~offset | gva & offset;
    }

    /** The protection key of a leaf. */
    public static int key(long leaf) {
        return (int) (leaf >>> 59) & 15;
    }
}
