package org.penumbra.testkit.nested;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.penumbra.testkit.script.Script;

/**
 * The tables of a guest hypervisor that translate its guest's addresses: EPT (SDM vol. 3, "EPT Translation Mechanism") or nested tables (APM
 * vol. 2, "Nested Paging"), filled when they refuse an access. They begin empty. What it believes to be in them helps it to choose; flags that
 * processors set it does not know of. Any thread, as vCPUs share them.
 *
 * <pre>
 *  at + 0x0000   EPT PML5 table; of nested tables another PML4   at + 0x3000                   page directory
 *  at + 0x1000   PML4 table                                      at + 0x10000 + 0x1000 r       page table of the 2 MiB region r
 *  at + 0x2000   PDPT
 * </pre>
 */
public final class StageTables {
    private static final long LEAF = 1 << 7;
    private static final long POINTER = 6;
    private static final long POINTER_FLAGS = 1 << 6;
    private static final long TABLES = 0x1_0000;
    private static final long PAGE = 0x1000;

    /** What differs between the two kinds. */
    public enum Format {
        /** R, W and X; memory type write-back; accessed and dirty in bits 8 and 9. Combinations: R; R W; R X; X; all. */
        EPT(7, 6 << 3, 3 << 8, new long[] {1, 3, 5, 4, 7}),
        /** P, R/W and U/S; accessed and dirty in bits 5 and 6. Combinations of rights: R; R X; R W; none but a supervisor's; all. */
        NPT(7, 0, 3 << 5, new long[] {5 | 1L << 63, 5, 7 | 1L << 63, 3, 7});

        private final long all;
        private final long page;
        private final long flags;
        private final long[] combinations;

        Format(long all, long page, long flags, long[] combinations) {
            this.all = all;
            this.page = page;
            this.flags = flags;
            this.combinations = combinations;
        }

        /** Accessed and dirty. */
        public long flags() {
            return flags;
        }

        /** The bits of an entry that allow everything, which may stand in one with less as well. */
        public long all() {
            return all;
        }

        /** {@code entry} with the {@code n}th combination of rights. */
        public long withRights(long entry, int n) {
            return entry & ~(all | (this == NPT ? 1L << 63 : 0)) | combinations[n % combinations.length];
        }
    }

    private final Format format;
    private final long at;
    private final long base;
    private final long bytes;
    private final boolean large;
    private final int physicalAddressBits;
    private final Map<Long, Long> believed = new ConcurrentHashMap<>();
    /** By frame of the guest where it is not at its place. */
    private final Map<Long, Long> elsewhere = new ConcurrentHashMap<>();

    StageTables(Format format, long at, long base, long bytes, boolean large, int physicalAddressBits) {
        this.format = format;
        this.at = at;
        this.base = base;
        this.bytes = bytes;
        this.large = large;
        this.physicalAddressBits = physicalAddressBits;
    }

    /** Memory that the tables of {@code bytes} take. */
    static long size(long bytes) {
        return TABLES + PAGE * (bytes >>> 21);
    }

    public Format format() {
        return format;
    }

    /**
     * What the guest is entered with. EPT pointers: 0 4 levels, 1 the same with accessed and dirty flags, 2 5 levels, 3 the same with flags. Of
     * nested tables two roots by turns.
     */
    public long root(int number) {
        if (format == Format.NPT) {
            return at + PAGE * (1 - (number & 1));
        }
        int levels = number < 2 ? 4 : 5;
        return table(levels, 0) | POINTER | (levels - 1L) << 3 | ((number & 1) != 0 ? POINTER_FLAGS : 0);
    }

    /** The table at {@code level} that translates {@code ngpa}; of nested tables 5 is the other PML4. */
    private long table(int level, long ngpa) {
        return level == 1 ? at + TABLES + PAGE * (ngpa >>> 21) : at + PAGE * (5 - level);
    }

    /** Where the entry at {@code level} for {@code ngpa} lies. */
    public long entryAt(int level, long ngpa) {
        int real = format == Format.NPT ? Math.min(level, 4) : level;
        return table(level, ngpa) + 8 * (ngpa >>> 12 + 9 * (real - 1) & 511);
    }

    /** The entry at {@code level} for {@code ngpa}. */
    public long believed(int level, long ngpa) {
        return believed.getOrDefault(entryAt(level, ngpa), 0L);
    }

    /** True if {@code ngpa} is in a region that is mapped whole, by what is believed. */
    public boolean isLarge(long ngpa) {
        return (believed(2, ngpa) & LEAF) != 0;
    }

    /** Appends a store of {@code entry} at {@code level} for {@code ngpa}. */
    public void set(Script s, int level, long ngpa, long entry) {
        believed.put(entryAt(level, ngpa), entry);
        s.window(Script.STORE, entryAt(level, ngpa), 8, entry);
    }

    /** The leaf that maps all of the region around {@code ngpa}. */
    public long largeLeaf(long ngpa) {
        return base + (ngpa & -1L << 21) | format.all | format.page | LEAF;
    }

    /** The leaf that maps the page at {@code ngpa}, with everything allowed. */
    public long leaf(long ngpa) {
        long frame = ngpa & -PAGE;
        return elsewhere.getOrDefault(frame, base + frame) | format.all | format.page;
    }

    /** The entry that leads to the table below {@code level} for {@code ngpa}. */
    public long pointer(int level, long ngpa) {
        int below = format == Format.NPT && level == 5 ? 3 : level - 1;
        return table(below, ngpa) | format.all;
    }

    /** From now on the frame at {@code ngpa} is where that at {@code other} was at first, as long as its region is not mapped whole. */
    public void move(long ngpa, long other) {
        elsewhere.put(ngpa & -PAGE, base + (other & -PAGE));
    }

    /** A bit that no address has, 0 if each may be one. */
    public long beyond() {
        return physicalAddressBits < 52 ? 1L << 51 : 0;
    }

    /** Appends what makes each entry for {@code ngpa} allow everything, beginning at the top of {@code root}. */
    void mend(Script s, long ngpa, long root) {
        if (ngpa >= bytes) {
            throw new IllegalStateException(
                    String.format("the guest's guest is refused ngpa 0x%x, where it has no memory", ngpa));
        }
        for (int level = 5; level > 2; level--) {
            boolean used = format == Format.NPT ? level == 3 || table(level, 0) == root : level <= (int) (root >>> 3 & 7) + 1;
            if (used) {
                correct(s, level, ngpa, pointer(level, ngpa));
            }
        }
        long directory = believed(2, ngpa);
        boolean whole = directory == 0 ? large : (directory & LEAF) != 0;
        correct(s, 2, ngpa, whole ? largeLeaf(ngpa) : pointer(2, ngpa));
        if (!whole) {
            correct(s, 1, ngpa, leaf(ngpa));
        }
    }

    private void correct(Script s, int level, long ngpa, long entry) {
        if (believed(level, ngpa) != entry) {
            set(s, level, ngpa, entry);
        }
    }
}
