package org.penumbra.testkit.reference;

/**
 * The bits of a paging-structure entry that mean the same in every mode (SDM vol. 3, tables "Formats of CR3 and Paging-Structure
 * Entries" of each mode). Where they lead, and which must be 0, is {@link TableFormat}'s.
 *
 * <pre>
 *  bit  0     P     present; while it is 0 every other bit is software's
 *  bit  1     R/W   writes are allowed in the region
 *  bit  2     U/S   the region is accessible to user mode
 *  bits 4:3         PWT, PCD: memory type
 *  bit  5     A     software used the entry for translation
 *  bit  6     D     leaf: software wrote to the page; ignored elsewhere
 *  bit  7     PS    where the level has large pages: the entry is a leaf; PTE: PAT, memory type
 *  bit  8     G     leaf: global, if CR4.PGE = 1; ignored elsewhere
 *  bit  12          large leaf: PAT, memory type
 *  bits 62:59       leaf of 4- and 5-level paging: protection key
 *  bit  63    XD    entry of 8 bytes: no instruction fetch, if EFER.NXE = 1; else reserved
 * </pre>
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

    private EntryBits() {}
}
