package org.penumbra.testkit.tlb;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.testkit.reference.EntryBits;

/**
 * The frames that reference walks have met as paging structures, and the clock of the abstract TLB.
 *
 * <p>Time counts events: a change of a watched entry, an invalidation, a load of a control register. Tables are known by guest
 * frame, which is what they are to the guest, and found by host frame too, since stores are reported by hpa. The host may move a
 * guest frame, and let several share one host frame until one of them is written. Accessed and dirty bits
 * that a processor sets are not reported: they are noticed when the entry is next read here, and are no event.
 */
final class WatchedTables {
    private final PhysicalMemory memory;
    private final LongUnaryOperator gpaToHpa;
    /** By guest frame. */
    private final LongObjectHashMap<WatchedTable> byGuest = new LongObjectHashMap<>();
    /** By host frame: one table, or several while the host shares the frame. */
    private final LongObjectHashMap<List<WatchedTable>> byHost = new LongObjectHashMap<>();
    /** By level: the guest frame of the last read, and its table. */
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
        return byGuest.size();
    }

    /** Entries held: those of the tables, and their older values. */
    long entries() {
        return 512L * byGuest.size() + olderValues;
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
        WatchedTable table = lastFrame[level] == gpa >>> 12 ? lastTable[level] : null;
        if (table == null) {
            table = watched(gpa >>> 12, hpa >>> 12);
            table.levels |= 1 << level;
            lastFrame[level] = gpa >>> 12;
            lastTable[level] = table;
        }
        return refresh(table, (int) (hpa >>> 3) & 511, memory.load64(hpa));
    }

    /** The watched table at {@code gpa}, or null if there is none. */
    WatchedTable find(long gpa) {
        return byGuest.get(gpa >>> 12);
    }

    /** The 8 bytes at {@code gpa}; nothing is watched because of it. */
    long peek(long gpa) {
        long hpa = hpa(gpa);
        return hpa < 0 ? 0 : memory.load64(hpa);
    }

    /** Software has stored {@code bytes} bytes at {@code hpa}. */
    void written(long hpa, int bytes) {
        List<WatchedTable> tables = byHost.get(hpa >>> 12);
        for (int n = 0; tables != null && n < tables.size(); n++) {
            WatchedTable table = tables.get(n);
            int last = (int) Math.min(hpa + bytes - 1, hpa | 0xfff) >>> 3 & 511;
            for (int i = (int) (hpa >>> 3) & 511; i <= last; i++) {
                refresh(table, i, memory.load64((hpa & ~0xfffL) + 8L * i));
            }
        }
    }

    /** The host has put guest frame {@code gfn} elsewhere. */
    void moved(long gfn) {
        WatchedTable table = byGuest.get(gfn);
        if (table != null) {
            leave(table);
            settle(table, hpa(gfn << 12) >>> 12);
        }
    }

    private WatchedTable watched(long gfn, long hostFrame) {
        WatchedTable table = byGuest.get(gfn);
        if (table == null) {
            table = new WatchedTable();
            for (int i = 0; i < 512; i++) {
                table.initialise(i, memory.load64((hostFrame << 12) + 8L * i));
            }
            byGuest.put(gfn, table);
            settle(table, hostFrame);
        }
        return table;
    }

    private void settle(WatchedTable table, long hostFrame) {
        table.hostFrame = hostFrame;
        byHost.getIfAbsentPut(hostFrame, () -> new ArrayList<>(1)).add(table);
    }

    private void leave(WatchedTable table) {
        List<WatchedTable> sharing = byHost.get(table.hostFrame);
        sharing.remove(table);
        if (sharing.isEmpty()) {
            byHost.remove(table.hostFrame);
        }
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
        byGuest.forEachValue(t -> t.forget(local, global));
        Arrays.fill(lastTable, null);
        sweeps++;
        for (long root : roots) {
            mark(root, EntryBits.LEVELS);
        }
        long earliest = WatchedTable.NEVER;
        olderValues = 0;
        for (long gfn : byGuest.keySet().toArray()) {
            WatchedTable table = byGuest.get(gfn);
            if (table.sweep != sweeps) {
                byGuest.remove(gfn);
                leave(table);
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
