package org.penumbra.experiments.guest;

/**
 * What the kernel knows without reading memory about one of its tables: where it is, what hangs below it. The entries themselves,
 * with their accessed and dirty bits, are in guest memory only.
 */
final class TableNode {
    /** A leaf's low bit: the entry has R/W set. */
    static final long WRITABLE = 1;

    final long gpa;
    /** 1 for a table of 4 KiB pages. */
    final int level;
    /** Tables below, at levels 2 and up. */
    final TableNode[] child;
    /** Pages mapped, at levels 1 and 2 (large ones): gpa, with {@link #WRITABLE}; 0 for an entry that maps none. */
    final long[] leaf;
    /** Present entries. */
    int used;
    private final long entries;
    private final TableFormat format;

    TableNode(GuestLayout layout, long gpa, int level) {
        this.format = layout.tables;
        this.gpa = gpa;
        this.level = level;
        this.entries = layout.direct(gpa);
        this.child = level > 1 ? new TableNode[format.entries(level)] : null;
        this.leaf = level <= 2 ? new long[format.entries(level)] : null;
    }

    /** Where the kernel sees entry {@code i}. */
    long entry(int i) {
        return entries + (long) i * format.entryBytes;
    }

    /** True if entry {@code i} maps a page, of the size that belongs to this level. */
    boolean maps(int i) {
        return leaf != null && leaf[i] != 0;
    }

    int index(long gva) {
        return format.index(gva, level);
    }

    /** 4 KiB frames of a page that this table maps. */
    int framesPerPage() {
        return format.frames(level);
    }

    /** Bytes of address space that one entry stands for. */
    long span() {
        return format.span(level);
    }

    static long frame(long leaf) {
        return leaf & -GuestLayout.PAGE;
    }
}
