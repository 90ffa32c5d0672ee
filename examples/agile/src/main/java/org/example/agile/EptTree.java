package org.example.agile;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.paging.TranslationRoot;

/**
 * Four levels of EPT entries in frames of the lease (SDM vol. 3, "The Extended Page Table Mechanism (EPT)"). Guarded by the MMU's lock.
 * The template of {@code penumbra plugin new} again, with few changes: an author owns what it has made from then on.
 *
 * <pre>
 *  bits 2:0    R, W, X; all 0: not present
 *  bits 5:3    memory type of a page; 6: write-back
 *  bits 51:12  frame of the next table or of the page
 * </pre>
 */
final class EptTree {
    private static final int LEVELS = 4;
    private static final long WRITE = 1 << 1;
    private static final long PRESENT = 7;
    private static final long TABLE = 7;
    private static final long PAGE = 5 | 6 << 3;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    /** EPTP: write-back, page-walk length 4. */
    private static final long EPTP = 6 | LEVELS - 1 << 3;

    /** Told of each leaf. */
    interface Visitor {
        void leaf(long gfn, long entry);
    }

    private final FrameLease lease;
    private TranslationRoot.TwoDimensional root;
    private long top;

    EptTree(FrameLease lease) {
        this.lease = lease;
    }

    static boolean present(long entry) {
        return (entry & PRESENT) != 0;
    }

    static boolean writable(long entry) {
        return (entry & WRITE) != 0;
    }

    static long pfn(long entry) {
        return (entry & ADDRESS) >>> 12;
    }

    /** The same object each time, as the contract asks. */
    TranslationRoot.TwoDimensional root(CycleClock clock) {
        if (root == null) {
            top = lease.allocate(clock);
            root = new TranslationRoot.TwoDimensional(top | EPTP);
        }
        return root;
    }

    /** The leaf for {@code gfn}; 0 if there is none. */
    long leaf(long gfn, CycleClock clock) {
        FrameAccess entries = lease.access(clock);
        long at = at(gfn, false, entries, clock);
        return at < 0 ? 0 : entries.load(at);
    }

    void map(long gfn, long pfn, boolean writable, CycleClock clock) {
        FrameAccess entries = lease.access(clock);
        entries.store(at(gfn, true, entries, clock), pfn << 12 | PAGE | (writable ? WRITE : 0));
    }

    /** Takes the leaf away; answers flush. */
    boolean unmap(long gfn, CycleClock clock) {
        return change(gfn, 0, PRESENT, clock);
    }

    /** Takes the right to write away; answers flush. */
    boolean protect(long gfn, CycleClock clock) {
        return change(gfn, ~WRITE, WRITE, clock);
    }

    /** Leaves of the leaf what is in {@code kept}; true if it had any bit of {@code had}. */
    private boolean change(long gfn, long kept, long had, CycleClock clock) {
        FrameAccess entries = lease.access(clock);
        long at = at(gfn, false, entries, clock);
        long entry = at < 0 ? 0 : entries.load(at);
        if ((entry & had) == 0) {
            return false;
        }
        entries.store(at, entry & kept);
        return true;
    }

    /** Where the leaf for {@code gfn} is; −1 if a table is missing and is not to be made. */
    private long at(long gfn, boolean make, FrameAccess entries, CycleClock clock) {
        long table = top;
        for (int level = LEVELS; table != 0 && level > 1; level--) {
            long at = table + 8 * index(gfn, level);
            long entry = entries.load(at);
            if (!present(entry) && make) {
                entry = lease.allocate(clock) | TABLE;
                entries.store(at, entry);
            }
            table = entry & ADDRESS;
        }
        return table == 0 ? -1 : table + 8 * index(gfn, 1);
    }

    private static long index(long gfn, int level) {
        return gfn >>> 9 * (level - 1) & 511;
    }

    /** Tells {@code visitor} of each leaf. */
    void leaves(CycleClock clock, Visitor visitor) {
        if (top != 0) {
            leaves(top, LEVELS, 0, lease.access(clock), visitor);
        }
    }

    private void leaves(long table, int level, long first, FrameAccess entries, Visitor visitor) {
        for (int i = 0; i < 512; i++) {
            long entry = entries.load(table + 8L * i);
            long gfn = first + ((long) i << 9 * (level - 1));
            if (present(entry) && level == 1) {
                visitor.leaf(gfn, entry);
            } else if (present(entry)) {
                leaves(entry & ADDRESS, level - 1, gfn, entries, visitor);
            }
        }
    }
}
