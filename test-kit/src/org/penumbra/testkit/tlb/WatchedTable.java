package org.penumbra.testkit.tlb;

import static org.penumbra.testkit.reference.EntryBits.G;

import java.util.Arrays;

/**
 * One frame that serves as a paging structure: for each of its entries the value in memory now, since when, and the older
 * values that a processor may have cached, with the time in which each was in memory.
 *
 * <p>Intervals are half-open, [from, to). Of replaced values only present ones are kept, since nothing else is ever cached.
 * A processor sets A and D without a report, perhaps in an entry that is not read here before it is replaced: so a replaced
 * value counts as if both had been set. Values that agree apart from these bits are merged into one interval; of more than
 * {@link #OLDER} values the ones replaced first are forgotten.
 */
final class WatchedTable {
    /** The end of a value that is in memory now. */
    static final long NEVER = Long.MAX_VALUE;
    /** Older values kept per entry. */
    static final int OLDER = 16;

    /** What its entries are: a frame that serves as two kinds is watched twice. */
    final EntryKind kind;
    private final long[] value;
    private final long[] since;
    /** By entry: null, or value, from, to of each older value, the one replaced first at the front. */
    private final long[][] older;
    /** Where the host keeps it. */
    long hostFrame;
    /** The levels at which this frame was met: bit n for level n. */
    int levels;
    /** The last sweep that found this frame reachable, and at which levels. */
    int sweep;
    int sweepLevels;

    WatchedTable(EntryKind kind) {
        this.kind = kind;
        value = new long[4096 / kind.bytes];
        since = new long[4096 / kind.bytes];
        older = new long[4096 / kind.bytes][];
    }

    /** Number of entries. */
    int size() {
        return value.length;
    }

    /** Which entry lies at {@code address}. */
    int index(long address) {
        return (int) (address & 0xfff) / kind.bytes;
    }

    /** What is in memory when the frame is first met counts as having been there always. */
    void initialise(int index, long present) {
        value[index] = present;
    }

    long value(int index) {
        return value[index];
    }

    long since(int index) {
        return since[index];
    }

    int olderValues(int index) {
        return older[index] == null ? 0 : older[index].length / 3;
    }

    long olderValue(int index, int n) {
        return older[index][3 * n];
    }

    long olderFrom(int index, int n) {
        return older[index][3 * n + 1];
    }

    long olderTo(int index, int n) {
        return older[index][3 * n + 2];
    }

    /** True if the processor alone may have turned what entry {@code index} holds into {@code next}: by setting A and D. */
    boolean onlySetsFlags(int index, long next) {
        long changed = value[index] ^ next;
        return (changed & ~kind.flags) == 0 && (changed & next) == changed;
    }

    /** Entry {@code index} has A and D set, in {@code next}. */
    void setFlags(int index, long next) {
        value[index] = next;
    }

    /** Entry {@code index} holds {@code next} from {@code time} on; answers how many older values came to those known. */
    int replace(int index, long next, long time) {
        long old = value[index];
        long from = since[index];
        value[index] = next;
        since[index] = time;
        return (old & kind.present) != 0 ? keep(index, old | kind.flags, from, time) : 0;
    }

    private int keep(int index, long old, long from, long to) {
        long[] list = older[index];
        if (list == null) {
            older[index] = new long[] {old, from, to};
            return 1;
        }
        int at = 0;
        while (at < list.length && list[at] != old) {
            at += 3;
        }
        boolean known = at < list.length;
        long start = known ? Math.min(from, list[at + 1]) : from;
        boolean full = !known && list.length == 3 * OLDER;
        int drop = known ? at : full ? 0 : list.length;
        long[] next = known || full ? list : Arrays.copyOf(list, list.length + 3);
        if (drop < list.length) {
            System.arraycopy(list, drop + 3, next, drop, list.length - drop - 3);
        }
        next[next.length - 3] = old;
        next[next.length - 2] = start;
        next[next.length - 1] = to;
        older[index] = next;
        return known || full ? 0 : 1;
    }

    /**
     * Forgets older values that ended at or before {@code local}, or {@code global} where a global translation may have used
     * them; of entries of EPT and nested tables those that ended at or before {@code stage}.
     */
    void forget(long local, long global, long stage) {
        for (int i = 0; i < older.length; i++) {
            long[] list = older[i];
            if (list == null) {
                continue;
            }
            int kept = 0;
            for (int at = 0; at < list.length; at += 3) {
                boolean onlyLocal = levels == 1 << 1 && (list[at] & G) == 0;
                if (list[at + 2] > (kind.isSecondStage() ? stage : onlyLocal ? local : global)) {
                    System.arraycopy(list, at, list, kept, 3);
                    kept += 3;
                }
            }
            older[i] = kept == 0 ? null : kept == list.length ? list : Arrays.copyOf(list, kept);
        }
    }

    /** The earliest end among the older values, {@link #NEVER} if there are none. */
    long earliestEnd() {
        long end = NEVER;
        for (long[] list : older) {
            for (int at = 0; list != null && at < list.length; at += 3) {
                end = Math.min(end, list[at + 2]);
            }
        }
        return end;
    }

    /** Number of older values of all entries. */
    int olderTotal() {
        int n = 0;
        for (long[] list : older) {
            n += list == null ? 0 : list.length / 3;
        }
        return n;
    }
}
