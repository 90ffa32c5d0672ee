package org.penumbra.ept;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;

/**
 * The sub-page permission table of one tree (SDM vol. 3, "Sub-Page Write Permissions"): which 128 bytes of a page the guest may write whose leaf has
 * {@link TdpFormat#SUB_PAGES} and refuses writes. Four levels; entries of the upper three are an address and bit 0, those of the last a vector,
 * in which bit 2i permits writes to the bytes from 128 i on. Guarded by the lock of the MMU, but for {@link #top}.
 */
final class SubPageTable {
    private static final int LEVELS = 4;
    private static final long VALID = 1;
    /** Guest frames that four levels reach. */
    private static final int GFN_BITS = 36;

    private final FrameLease lease;
    /** hpa of the table of level 4. */
    final long top;

    SubPageTable(FrameLease lease, CycleClock clock) {
        this.lease = lease;
        this.top = lease.allocate(clock);
    }

    /** True if it can say something about {@code gfn}. */
    static boolean reaches(long gfn) {
        return gfn >>> GFN_BITS == 0;
    }

    /** The vector that permits writes to all sub-pages but those in {@code tracked}. */
    static long permitting(int tracked) {
        long vector = 0;
        for (int i = 0; i < 32; i++) {
            vector |= (long) (~tracked >>> i & 1) << 2 * i;
        }
        return vector;
    }

    /** The vector for {@code gfn}; 0, which permits nothing, if there is none. */
    long vector(long gfn, FrameAccess entries) {
        long at = slot(gfn, entries, null);
        return at == 0 ? 0 : entries.load(at);
    }

    /** Sets the vector for {@code gfn}, if there is one. Whoever takes a permission away flushes afterwards. */
    void change(long gfn, long vector, FrameAccess entries) {
        long at = slot(gfn, entries, null);
        if (at != 0) {
            entries.store(at, vector);
        }
    }

    /** Sets the vector for {@code gfn}, in tables that are made where they are missing. */
    void fill(long gfn, long vector, FrameAccess entries, CycleClock clock) {
        entries.store(slot(gfn, entries, clock), vector);
    }

    /** Where the vector for {@code gfn} is; 0 if tables are missing and {@code clock}, by which to make them, is null. */
    private long slot(long gfn, FrameAccess entries, CycleClock clock) {
        long table = top;
        for (int level = LEVELS; level > 1; level--) {
            long at = table + 8L * TdpFormat.index(gfn, level);
            long entry = entries.load(at);
            if ((entry & VALID) == 0 && clock == null) {
                return 0;
            }
            if ((entry & VALID) == 0) {
                entry = lease.allocate(clock) | VALID;
                entries.store(at, entry);
            }
            table = TdpFormat.address(entry);
        }
        return table + 8L * TdpFormat.index(gfn, 1);
    }
}
