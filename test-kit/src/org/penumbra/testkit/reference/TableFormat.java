package org.penumbra.testkit.reference;

import static org.penumbra.testkit.reference.EntryBits.*;

import org.penumbra.api.paging.PagingMode;

/**
 * The paging structures of each mode: SDM vol. 3, "32-Bit Paging", "PAE Paging" and "4-Level Paging and 5-Level Paging".
 *
 * <pre>
 *                 bytes   index of level           leaves         must be 0 in a present entry
 *                         1      2      3      4,5
 *  BITS_32        4       21:12  31:22  –      –   4K, 4M (PSE)   4M: bits 21:(M−19), M at most 40
 *  PAE            8       20:12  29:21  –      –   4K, 2M         62:M, XD without NXE; 2M: 20:13
 *  PAE_IN_MEMORY  8       20:12  29:21  31:30  –   4K, 2M         the same; level 3: 63:M, 8:5, 2:1
 *  FOUR_LEVEL     8       20:12  29:21  38:30  *   4K, 2M, 1G     51:M, XD without NXE; 2M: 20:13, 1G: 29:13; levels 4, 5: PS
 *  FIVE_LEVEL     8       20:12  29:21  38:30  *   4K, 2M, 1G     the same
 * </pre>
 *
 * M is MAXPHYADDR; * is 47:39 and 56:48. Levels count from the leaf: 1 PTE, 2 PDE, 3 PDPTE, 4 PML4E, 5 PML5E. A frame number is
 * in bits 31:12 of an entry of 4 bytes and 51:12 of one of 8; the 4 MiB leaf has bits 31:22 of the frame in place and bits 39:32
 * in 20:13 ("PSE-36").
 */
public enum TableFormat {
    BITS_32(2, 4),
    /** Below the PDPTE registers, which are no entries: they have neither rights nor an accessed flag. */
    PAE(2, 8),
    /** The PDPTE is read in each walk: APM vol. 2, "Legacy PAE Mode" under nested paging. */
    PAE_IN_MEMORY(3, 8),
    FOUR_LEVEL(4, 8),
    FIVE_LEVEL(5, 8);

    /** The most levels that a format has. */
    public static final int MOST_LEVELS = 5;

    private static final String[] NAMES = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
    private static final long FRAME = 0x000f_ffff_ffff_f000L;
    /** PDPTE of PAE paging: bits 2:1 and 8:5. */
    private static final long RESERVED_IN_PDPTE = 0x1e6;

    private final int levels;
    private final int entryBytes;

    TableFormat(int levels, int entryBytes) {
        this.levels = levels;
        this.entryBytes = entryBytes;
    }

    /** The structures of {@code mode}; null where it has none. */
    public static TableFormat of(PagingMode mode) {
        switch (mode) {
            case BITS_32:
                return BITS_32;
            case PAE:
                return PAE;
            case FOUR_LEVEL:
                return FOUR_LEVEL;
            case FIVE_LEVEL:
                return FIVE_LEVEL;
            default:
                return null;
        }
    }

    /** Levels of tables in memory. */
    public int levels() {
        return levels;
    }

    public int entryBytes() {
        return entryBytes;
    }

    /** True where protection keys exist. */
    public boolean hasKeys() {
        return levels > 3;
    }

    /** The manual's name of an entry at {@code level}. */
    public static String name(int level) {
        return NAMES[level];
    }

    /** log2 of the bytes that an entry at {@code level} maps. */
    public int shift(int level) {
        return 12 + (entryBytes == 4 ? 10 : 9) * (level - 1);
    }

    /** Which entry of a table at {@code level} serves {@code gva}. */
    public int index(long gva, int level) {
        int entries = this == PAE_IN_MEMORY && level == 3 ? 4 : 4096 / entryBytes;
        return (int) (gva >>> shift(level)) & entries - 1;
    }

    /** The highest level at which an entry can be a leaf. */
    public int largest() {
        return Math.min(levels, hasKeys() ? 3 : 2);
    }

    /**
     * True if {@code entry}, present at {@code level}, maps a page and not a table.
     *
     * @param pse CR4.PSE, without which PS is ignored in entries of 4 bytes
     */
    public boolean isLeaf(long entry, int level, boolean pse) {
        return level == 1 || level <= largest() && (entry & PS) != 0 && (pse || entryBytes == 8);
    }

    /** The gpa of the table that {@code entry} refers to. */
    public long table(long entry) {
        return entry & FRAME;
    }

    /** The gpa of {@code gva} in the page that the leaf {@code entry} at {@code level} maps. */
    public long gpa(long entry, int level, long gva) {
        long offset = (1L << shift(level)) - 1;
        long high = entryBytes == 4 && level == 2 ? (entry >>> 13 & 0xff) << 32 : 0;
        return high | entry & FRAME & ~offset | gva & offset;
    }

    /** The bits that must be 0 in a present entry at {@code level}. */
    public long reserved(int level, boolean leaf, int maxPhyAddr, boolean nxe) {
        boolean large = leaf && level > 1;
        if (entryBytes == 4) {
            return large ? bits(21, Math.min(maxPhyAddr, 40) - 19) : 0;
        }
        if (this == PAE_IN_MEMORY && level == 3) {
            return bits(63, maxPhyAddr) | RESERVED_IN_PDPTE;
        }
        return bits(hasKeys() ? 51 : 62, maxPhyAddr)
                | (nxe ? 0 : XD)
                | (large ? bits(shift(level) - 1, 13) : 0)
                | (level > 3 ? PS : 0);
    }

    /** Bits {@code high}:{@code low}; none if {@code low} is above {@code high}. */
    private static long bits(int high, int low) {
        return low > high ? 0 : -1L >>> 63 - high & -1L << low;
    }

    /** {@code entry} with the bits that stand for rights, in the places of {@link EntryBits}: all are granted where there are none. */
    public long rights(long entry, int level) {
        return this == PAE_IN_MEMORY && level == 3 ? RW | US : entry;
    }

    /** True if an entry at {@code level} has an accessed flag. */
    public boolean hasAccessed(int level) {
        return this != PAE_IN_MEMORY || level < 3;
    }

    /** The protection key of a leaf; 0 where there are none. */
    public int key(long leaf) {
        return hasKeys() ? (int) (leaf >>> 59) & 15 : 0;
    }
}
