package org.penumbra.hardware.walk;

import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.hardware.cache.LineSequence;

/**
 * The entries that led a walk from the root to the table whose entries map the pages of one region of 2 MiB. A walk to the same region
 * reads them all again, and while they are what they were it need not find out anew what they mean. One thread.
 */
final class Path {
    /** Size of a region as a power of two. */
    static final int REGION = 21;
    private static final int MOST = 4;
    /** Stands for the entry of a level that the tables do not have: always there, always 0. */
    private static final long[] NOTHING = new long[2];

    private long root;
    private long region = -1;
    private long[] frame1 = NOTHING;
    private long[] frame2 = NOTHING;
    private long[] frame3 = NOTHING;
    private long[] frame4 = NOTHING;
    private long slot1;
    private long slot2;
    private long slot3;
    private long slot4;
    private long entry1;
    private long entry2;
    private long entry3;
    private long entry4;
    /** Entries above the table. */
    int length;
    /** The same to the model of data caches. */
    final LineSequence lines = new LineSequence();
    private long[] table = NOTHING;
    private long tableAt;
    /** The level of the table. */
    Step step;

    /** True if this is the path from {@code top} to the region around {@code address}, and each of its entries is what it was. */
    boolean leads(long top, long address) {
        return region == address >>> REGION && root == top
                && same(frame1, slot1, entry1) && same(frame2, slot2, entry2) && same(frame3, slot3, entry3) && same(frame4, slot4, entry4)
                && PhysicalMemory.holds(table, tableAt);
    }

    private static boolean same(long[] frame, long slot, long entry) {
        return PhysicalMemory.holds(frame, slot) && PhysicalMemory.word(frame, slot) == entry;
    }

    /** Follows the usual entries of {@code tables} that take no right away from {@code top} towards {@code address}, as far as they lead. */
    void follow(PhysicalMemory memory, WalkMeter meter, Format tables, Step first, long top, long address) {
        // Until the end: a table may lie where no memory is.
        forget();
        length = 0;
        lines.clear();
        for (int i = 0; i < MOST; i++) {
            append(NOTHING, 0, 0);
        }
        Step at = first;
        long next = top;
        for (; at.lower != null; at = at.lower) {
            long slot = at.slot(next, address);
            long[] frame = memory.frame(slot);
            long entry = PhysicalMemory.word(frame, slot);
            if ((entry & at.openMask) != at.open) {
                break;
            }
            append(frame, slot, entry);
            meter.append(lines, slot);
            length++;
            next = entry & tables.address;
        }
        step = at;
        tableAt = next;
        table = memory.frame(at.slot(next, address));
        root = top;
        region = address >>> REGION;
    }

    private void append(long[] frame, long slot, long entry) {
        frame1 = frame2;
        slot1 = slot2;
        entry1 = entry2;
        frame2 = frame3;
        slot2 = slot3;
        entry2 = entry3;
        frame3 = frame4;
        slot3 = slot4;
        entry3 = entry4;
        frame4 = frame;
        slot4 = slot;
        entry4 = entry;
    }

    /** Leads nowhere from now on. */
    void forget() {
        region = -1;
    }

    /** Where the entry for {@code address} is in the table. */
    long slot(long address) {
        return step.slot(tableAt, address);
    }

    /** The entry at {@code slot} of the table. */
    long entry(long slot) {
        return PhysicalMemory.word(table, slot);
    }
}
