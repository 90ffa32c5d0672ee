package org.penumbra.experiments.guest;

/**
 * What the kernel knows without reading memory about one of its tables: where it is, what hangs below it. The entries themselves,
 * with their accessed and dirty bits, are in guest memory only.
 */
final class TableNode {
    /** A leaf's low bit: the entry has R/W set. */
    static final long WRITABLE = 1;

    final long gpa;
    /** 1 for a table of 4 KiB pages, 4 for a root. */
    final int level;
    /** Tables below, at levels 2 to 4. */
    final TableNode[] child;
    /** Pages mapped, at levels 1 and 2 (2 MiB): gpa, with {@link #WRITABLE}; 0 for an entry that maps none. */
    final long[] leaf;
    /** Present entries. */
    int used;

    TableNode(long gpa, int level) {
        this.gpa = gpa;
        this.level = level;
        this.child = level > 1 ? new TableNode[512] : null;
        this.leaf = level <= 2 ? new long[512] : null;
    }

    /** Where the kernel sees entry {@code i}. */
    long entry(int i) {
        return GuestLayout.direct(gpa) + 8L * i;
    }

    /** True if entry {@code i} maps a page, of the size that belongs to this level. */
    boolean maps(int i) {
        return leaf != null && leaf[i] != 0;
    }

    /** 4 KiB frames of a page that this table maps. */
    int framesPerPage() {
        return level == 1 ? 1 : 512;
    }

    /** Bytes of address space that one entry stands for. */
    long span() {
        return 1L << 12 + 9 * (level - 1);
    }

    static long frame(long leaf) {
        return leaf & -GuestLayout.PAGE;
    }
}
