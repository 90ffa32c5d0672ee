package org.penumbra.testkit.nested;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.penumbra.testkit.script.Script;

/**
 * The EPT tables of a guest hypervisor for its guest (SDM vol. 3, "EPT Translation Mechanism"), filled at violations. They begin empty. What
 * it believes to be in them helps it to choose; flags that processors set it does not know of. Any thread, as vCPUs share them.
 *
 * <pre>
 *  at + 0x0000   EPT PML5 table        at + 0x3000          EPT page directory
 *  at + 0x1000   EPT PML4 table        at + 0x10000 + 0x1000 r   EPT page table of the 2 MiB region r
 *  at + 0x2000   EPT PDPT
 * </pre>
 */
public final class Ept12 {
    /** R, W and X. */
    public static final long ALL = 7;
    public static final long WRITE_BACK = 6 << 3;
    private static final long LEAF = 1 << 7;
    private static final long POINTER = 6;
    private static final long FLAGS = 1 << 6;
    private static final long TABLES = 0x1_0000;
    private static final long PAGE = 0x1000;

    private final long at;
    private final long base;
    private final long bytes;
    private final boolean large;
    private final int physicalAddressBits;
    private final Map<Long, Long> believed = new ConcurrentHashMap<>();
    /** By frame of L2 where it is not at its place. */
    private final Map<Long, Long> elsewhere = new ConcurrentHashMap<>();

    Ept12(long at, long base, long bytes, boolean large, int physicalAddressBits) {
        this.at = at;
        this.base = base;
        this.bytes = bytes;
        this.large = large;
        this.physicalAddressBits = physicalAddressBits;
    }

    /** EPT pointers: 0 4 levels, 1 the same with accessed and dirty flags, 2 5 levels, 3 the same with flags. */
    public long eptp(int number) {
        int levels = number < 2 ? 4 : 5;
        return table(levels, 0) | POINTER | (levels - 1L) << 3 | ((number & 1) != 0 ? FLAGS : 0);
    }

    /** The table at {@code level} that translates {@code ngpa}. */
    private long table(int level, long ngpa) {
        return level == 1 ? at + TABLES + PAGE * (ngpa >>> 21) : at + PAGE * (5 - level);
    }

    /** Where the entry at {@code level} for {@code ngpa} lies. */
    public long entryAt(int level, long ngpa) {
        return table(level, ngpa) + 8 * (ngpa >>> 12 + 9 * (level - 1) & 511);
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
        return base + (ngpa & -1L << 21) | ALL | WRITE_BACK | LEAF;
    }

    /** The leaf that maps the page at {@code ngpa}, with everything allowed. */
    public long leaf(long ngpa) {
        long frame = ngpa & -PAGE;
        return elsewhere.getOrDefault(frame, base + frame) | ALL | WRITE_BACK;
    }

    /** The entry that leads to the table below {@code level} for {@code ngpa}. */
    public long pointer(int level, long ngpa) {
        return table(level - 1, ngpa) | ALL;
    }

    /** From now on the frame at {@code ngpa} is where that at {@code other} was at first, as long as its region is not mapped whole. */
    public void move(long ngpa, long other) {
        elsewhere.put(ngpa & -PAGE, base + (other & -PAGE));
    }

    /** A bit that no address has, 0 if each may be one. */
    public long beyond() {
        return physicalAddressBits < 52 ? 1L << 51 : 0;
    }

    /** Appends what makes each entry for {@code ngpa} allow everything, beginning at the top of {@code eptp}. */
    void mend(Script s, long ngpa, long eptp) {
        if (ngpa >= bytes) {
            throw new IllegalStateException(String.format("an EPT violation at ngpa 0x%x, where the guest's guest has no memory", ngpa));
        }
        for (int level = (int) (eptp >>> 3 & 7) + 1; level > 2; level--) {
            correct(s, level, ngpa, pointer(level, ngpa));
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
