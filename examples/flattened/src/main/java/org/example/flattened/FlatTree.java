package org.example.flattened;

import static org.example.flattened.FlatWalker.FRAME;
import static org.example.flattened.FlatWalker.INDEX_BITS;
import static org.example.flattened.FlatWalker.RIGHTS;
import static org.example.flattened.FlatWalker.UPPER_SHIFT;

import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.paging.StageWalker;
import org.penumbra.api.paging.TranslationRoot;

/** The structures that {@link FlatWalker} walks: tables of 2 MiB in frames of the lease. Guarded by the MMU's lock. */
final class FlatTree {
    private static final StageWalker WALKER = new FlatWalker();
    /** Entries in a frame. */
    private static final int ENTRIES = 512;
    private static final long PAGE = StageWalker.READ | StageWalker.EXECUTE | StageWalker.WRITE_BACK;

    /** Told of each leaf. */
    interface Visitor {
        void leaf(long gfn, long entry);
    }

    private final FrameLease lease;
    /** By upper index: which frames of the lower table ever had an entry, so that nobody reads the others to find leaves. */
    private final Map<Long, BitSet> used = new TreeMap<>();
    private TranslationRoot root;
    private long top;

    FlatTree(FrameLease lease) {
        this.lease = lease;
    }

    static boolean present(long entry) {
        return (entry & RIGHTS) != 0;
    }

    static boolean writable(long entry) {
        return (entry & StageWalker.WRITE) != 0;
    }

    static long pfn(long entry) {
        return (entry & FRAME) >>> 12;
    }

    /** The same object each time, as the contract asks. */
    TranslationRoot root(CycleClock clock) {
        if (root == null) {
            top = lease.allocateBlock(clock);
            root = new TranslationRoot.Own(WALKER, top);
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
        entries.store(at(gfn, true, entries, clock), pfn << 12 | PAGE | (writable ? StageWalker.WRITE : 0));
    }

    /** Takes the leaf away. Who calls this flushes. */
    void unmap(long gfn, CycleClock clock) {
        FrameAccess entries = lease.access(clock);
        long at = at(gfn, false, entries, clock);
        if (at >= 0) {
            entries.store(at, 0);
        }
    }

    /** Takes the right to write away. Who calls this flushes. */
    void protect(long gfn, CycleClock clock) {
        FrameAccess entries = lease.access(clock);
        long at = at(gfn, false, entries, clock);
        if (at >= 0) {
            entries.store(at, entries.load(at) & ~StageWalker.WRITE);
        }
    }

    /** Where the leaf for {@code gfn} is; −1 if its table is missing and is not to be made. */
    private long at(long gfn, boolean make, FrameAccess entries, CycleClock clock) {
        if (top == 0) {
            return -1;
        }
        long slot = top + 8 * FlatWalker.index(gfn << 12, UPPER_SHIFT);
        long upper = entries.load(slot);
        if ((upper & FlatWalker.TABLE) == 0) {
            if (!make) {
                return -1;
            }
            upper = lease.allocateBlock(clock) | FlatWalker.TABLE;
            entries.store(slot, upper);
        }
        if (make) {
            used.computeIfAbsent(gfn >>> INDEX_BITS, i -> new BitSet()).set((int) FlatWalker.index(gfn << 12, 12) / ENTRIES);
        }
        return (upper & FRAME) + 8 * FlatWalker.index(gfn << 12, 12);
    }

    /** Tells {@code visitor} of each leaf. */
    void leaves(CycleClock clock, Visitor visitor) {
        FrameAccess entries = lease.access(clock);
        used.forEach((upper, frames) -> {
            long table = entries.load(top + 8 * upper) & FRAME;
            for (int frame = frames.nextSetBit(0); frame >= 0; frame = frames.nextSetBit(frame + 1)) {
                for (long j = (long) frame * ENTRIES; j < (frame + 1L) * ENTRIES; j++) {
                    long entry = entries.load(table + 8 * j);
                    if (present(entry)) {
                        visitor.leaf(upper << INDEX_BITS | j, entry);
                    }
                }
            }
        });
    }
}
