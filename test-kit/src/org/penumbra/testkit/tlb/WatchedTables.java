package org.penumbra.testkit.tlb;

import java.util.Arrays;
import java.util.function.LongUnaryOperator;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.testkit.reference.EntryBits;

/**
 * The frames that reference walks have met as paging structures, and the clock of the abstract TLB.
 *
 * <p>Time counts events: a change of a watched entry, an invalidation, a load of a control register. Frames are known by hpa,
 * since stores are reported by hpa; guest tables are read through the host's current meaning of a gpa. Accessed and dirty bits
 * that a processor sets are not reported: they are noticed when the entry is next read here, and are no event.
 */
final class WatchedTables {
    private final PhysicalMemory memory;
    private final LongUnaryOperator gpaToHpa;
    private final LongObjectHashMap<WatchedTable> byFrame = new LongObjectHashMap<>();
    /** By level: the frame of the last read, and its table. */
    private final long[] lastFrame = new long[EntryBits.LEVELS + 1];
    private final WatchedTable[] lastTable = new WatchedTable[EntryBits.LEVELS + 1];
    private long now;
    private int olderValues;
    private int sweeps;

    WatchedTables(PhysicalMemory memory, LongUnaryOperator gpaToHpa) {
        this.memory = memory;
        this.gpaToHpa = gpaToHpa;
    }

    /** The time of the last event. */
    long now() {
        return now;
    }

    /** A new event: its time. */
    long tick() {
        return ++now;
    }

    /** Older values held, of all tables. */
    int olderValues() {
        return olderValues;
    }

    /** Frames watched. */
    int size() {
        return byFrame.size();
    }

    /** Entries held: those of the tables, and their older values. */
    long entries() {
        return 512L * byFrame.size() + olderValues;
    }

    /** Where {@code gpa} lies, or −1. */
    long hpa(long gpa) {
        long page = gpaToHpa.applyAsLong(gpa & ~0xfffL);
        long hpa = page < 0 ? -1 : page | gpa & 0xfff;
        return hpa < memory.bytes() ? hpa : -1;
    }

    /**
     * Reads the entry at {@code gpa} for a walk at {@code level}; its table is watched from now on. Where the guest has no
     * memory there is no table either: a not-present entry.
     */
    long read(long gpa, int level) {
        long hpa = hpa(gpa);
        if (hpa < 0) {
            return 0;
        }
        WatchedTable table = lastFrame[level] == hpa >>> 12 ? lastTable[level] : null;
        if (table == null) {
            table = watched(hpa >>> 12);
            table.levels |= 1 << level;
            lastFrame[level] = hpa >>> 12;
            lastTable[level] = table;
        }
        return refresh(table, (int) (hpa >>> 3) & 511, memory.load64(hpa));
    }

    /** The watched table at {@code gpa}, or null if there is none. */
    WatchedTable find(long gpa) {
        long hpa = hpa(gpa);
        return hpa < 0 ? null : byFrame.get(hpa >>> 12);
    }

    /** The 8 bytes at {@code gpa}; nothing is watched because of it. */
    long peek(long gpa) {
        long hpa = hpa(gpa);
        return hpa < 0 ? 0 : memory.load64(hpa);
    }

    /** Software has stored {@code bytes} bytes at {@code hpa}. */
    void written(long hpa, int bytes) {
        WatchedTable table = byFrame.get(hpa >>> 12);
        if (table != null) {
            int last = (int) Math.min(hpa + bytes - 1, hpa | 0xfff) >>> 3 & 511;
            for (int i = (int) (hpa >>> 3) & 511; i <= last; i++) {
                refresh(table, i, memory.load64((hpa & ~0xfffL) + 8L * i));
            }
        }
    }

    private WatchedTable watched(long frame) {
        WatchedTable table = byFrame.get(frame);
        if (table == null) {
            table = new WatchedTable();
            for (int i = 0; i < 512; i++) {
                table.initialise(i, memory.load64((frame << 12) + 8L * i));
            }
            byFrame.put(frame, table);
        }
        return table;
    }

    private long refresh(WatchedTable table, int index, long value) {
        if (table.value(index) == value) {
            return value;
        }
        if (table.onlySetsFlags(index, value)) {
            table.setFlags(index, value);
        } else {
            olderValues += table.replace(index, value, tick());
        }
        return value;
    }

    /**
     * Forgets what no processor can have cached any more.
     *
     * @param local no non-global translation is older than this
     * @param global no translation at all is older than this
     * @param roots gpas of the top-level tables through which a translation may have come
     * @return the earliest end among the values still held
     */
    long sweep(long local, long global, long[] roots) {
        byFrame.forEachValue(t -> t.forget(local, global));
        Arrays.fill(lastTable, null);
        sweeps++;
        for (long root : roots) {
            mark(root, EntryBits.LEVELS);
        }
        long earliest = WatchedTable.NEVER;
        olderValues = 0;
        for (long frame : byFrame.keySet().toArray()) {
            WatchedTable table = byFrame.get(frame);
            if (table.sweep != sweeps) {
                byFrame.remove(frame);
            } else {
                earliest = Math.min(earliest, table.earliestEnd());
                olderValues += table.olderTotal();
            }
        }
        return earliest;
    }

    private void mark(long gpa, int level) {
        WatchedTable table = find(gpa);
        if (table == null) {
            return;
        }
        if (table.sweep != sweeps) {
            table.sweep = sweeps;
            table.sweepLevels = 0;
        }
        if ((table.sweepLevels >>> level & 1) != 0) {
            return;
        }
        table.sweepLevels |= 1 << level;
        for (int i = 0; level > 1 && i < 512; i++) {
            markEntry(table.value(i), level);
            for (int n = 0; n < table.olderValues(i); n++) {
                markEntry(table.olderValue(i, n), level);
            }
        }
    }

    private void markEntry(long entry, int level) {
        if ((entry & EntryBits.P) != 0 && !EntryBits.isLeaf(entry, level)) {
            mark(entry & EntryBits.FRAME, level - 1);
        }
    }
}
