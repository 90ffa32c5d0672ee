package org.penumbra.ept;

/**
 * EPT entries (SDM vol. 3, "The Extended Page Table Mechanism (EPT)", tables of entry formats).
 *
 * <pre>
 *  bits 2:0    R, W, X; all 0: not present
 *  bits 5:3    memory type of a leaf; 6 is write-back
 *  bit  7      maps a page, in levels 2 and 3
 *  bit  8      A  accessed, with accessed and dirty flags enabled
 *  bit  9      D  dirty, in a leaf
 *  bits 51:12  frame of the next table or page
 * </pre>
 */
final class EptEntry {
    static final long READ = 1;
    static final long WRITE = 1 << 1;
    static final long EXECUTE = 1 << 2;
    static final long RWX = READ | WRITE | EXECUTE;
    static final long WRITE_BACK = 6 << 3;
    static final long LARGE = 1 << 7;
    static final long ACCESSED = 1 << 8;
    static final long DIRTY = 1 << 9;
    /** Not present, and not to be changed: an entry of a table that is going away. KVM: FROZEN_SPTE. */
    static final long FROZEN = 0x5a0;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private EptEntry() {}

    static boolean present(long entry) {
        return (entry & RWX) != 0;
    }

    static boolean writable(long entry) {
        return (entry & WRITE) != 0;
    }

    static boolean dirty(long entry) {
        return (entry & DIRTY) != 0;
    }

    static boolean leaf(long entry, int level) {
        return level == 1 || (entry & LARGE) != 0;
    }

    static long address(long entry) {
        return entry & ADDRESS;
    }

    /** An entry that points at the table at {@code hpa}. */
    static long table(long hpa) {
        return hpa | RWX;
    }

    /** A leaf of {@code level} for {@code pfn}. */
    static long page(long pfn, int level, boolean writable) {
        return pfn << 12 | WRITE_BACK | READ | EXECUTE | (writable ? WRITE : 0) | (level > 1 ? LARGE : 0);
    }

    /** The 4 KiB leaf {@code index} of what the 2 MiB leaf {@code large} maps. */
    static long piece(long large, int index) {
        return (large & ~LARGE) + ((long) index << 12);
    }

    /** Index into the table of {@code level} for {@code gfn}. */
    static int index(long gfn, int level) {
        return (int) (gfn >>> 9 * (level - 1)) & 511;
    }
}
