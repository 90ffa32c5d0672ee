package org.penumbra.hardware.walk;

import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.hardware.cache.LineSequence;

/**
 * The entries that led a walk from the root to the table whose entries map the pages of one region of 2 MiB; with a stage below, those
 * of its tables included, through which the walk came to each table. A walk to the same region
 * reads them all again, and while they are what they were it need not find out anew what they mean. One thread.
 */
final class Path {
    /** Size of a region as a power of two. */
    static final int REGION = 21;

    private long root;
    private long rootBelow;
    private long region = -1;
    /** What was read: by number, the frame, where, and the value. */
    private final long[][] frames;
    private final long[] slots;
    private final long[] entries;
    private int count;
    /** How many of them are of the walker's own tables, and of the stage below. */
    int length;
    int lengthBelow;
    /** The same to the model of data caches. */
    final LineSequence lines;
    /** The rights that the entries of the walker's own tables grant together, as {@link Format#path} has them. */
    long rights;
    private long[] table;
    private long tableAt;
    /** The level of the table. */
    Step step;

    /** A path to nowhere, of at most {@code most} entries. */
    Path(int most) {
        frames = new long[most][];
        slots = new long[most];
        entries = new long[most];
        lines = new LineSequence(most);
    }

    /** True if this is the path from {@code top} to the region around {@code address}, and each of its entries is what it was. */
    boolean leads(long top, long topBelow, long address) {
        return region == address >>> REGION && root == top && rootBelow == topBelow && unchanged() && PhysicalMemory.holds(table, tableAt);
    }

    private boolean unchanged() {
        // Of its own: what is loaded with acquire order makes the compiler read fields again.
        long[][] frame = frames;
        long[] slot = slots;
        long[] entry = entries;
        int n = count;
        long changed = 0;
        for (int i = 0; i < n; i++) {
            changed |= PhysicalMemory.word(frame[i], slot[i]) ^ entry[i] | PhysicalMemory.mark(frame[i], slot[i]);
        }
        return changed == 0;
    }

    /**
     * Follows the usual entries of {@code tables} from {@code top} towards {@code address}, as far as they lead; false, and leads nowhere, if {@code below}, unless it is null, does not translate the address of a table by usual entries.
     */
    boolean follow(PhysicalMemory memory, WalkMeter meter, Format tables, Step first, long top, long address, SecondStage below) {
        // Until the end: a table may lie where no memory is.
        forget();
        length = 0;
        lengthBelow = 0;
        count = 0;
        lines.clear();
        long granted = tables.path;
        Step at = first;
        long next = top;
        while (true) {
            if (below != null) {
                next = below.follow(this, next);
                if (next < 0) {
                    return false;
                }
                lengthBelow = count - length;
            }
            long slot = at.slot(next, address);
            long[] frame = memory.frame(slot);
            // Once: another processor may change it at any time.
            long entry = PhysicalMemory.word(frame, slot);
            if (at.lower == null || (entry & at.tableMask) != at.table) {
                break;
            }
            append(meter, frame, slot, entry);
            granted &= entry ^ tables.inverted;
            next = entry & tables.address;
            length++;
            at = at.lower;
        }
        step = at;
        rights = granted;
        tableAt = next;
        table = memory.frame(next);
        root = top;
        rootBelow = below == null ? 0 : below.root();
        region = address >>> REGION;
        return true;
    }

    /** Adds the entry at {@code slot} of {@code frame}, which was read. */
    void append(WalkMeter meter, long[] frame, long slot, long entry) {
        frames[count] = frame;
        slots[count] = slot;
        entries[count] = entry;
        count++;
        meter.append(lines, slot);
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
