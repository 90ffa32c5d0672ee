package org.penumbra.testkit.tlb;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.testkit.reference.TableFormat;

/**
 * The frames that reference walks have met as paging structures, and the clock of the abstract TLB.
 *
 * <p>Time counts events: a change of a watched entry, an invalidation, a load of a control register. Tables are known by guest
 * frame, which is what they are to the guest, and found by host frame too, since stores are reported by hpa. The host may move a
 * guest frame, and let several share one host frame until one of them is written. Accessed and dirty bits
 * that a processor sets are not reported: they are noticed when the entry is next read here, and are no event.
 */
final class WatchedTables {
    private static final int LEVELS = TableFormat.MOST_LEVELS + 1;

    private final PhysicalMemory memory;
    private final LongUnaryOperator gpaToHpa;
    /** By {@link #key}. */
    private final LongObjectHashMap<WatchedTable> byGuest = new LongObjectHashMap<>();
    /** By host frame: one table, or several while the host shares the frame or the guest uses it as two kinds. */
    private final LongObjectHashMap<List<WatchedTable>> byHost = new LongObjectHashMap<>();
    /** By level, those of the second dimension behind the others: the {@link #key} of the last read, and its table. */
    private final long[] lastKey = new long[2 * LEVELS];
    private final WatchedTable[] lastTable = new WatchedTable[2 * LEVELS];
    private long now;
    private long watchedEntries;
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

    /** Tables watched. */
    int size() {
        return byGuest.size();
    }

    /** Entries held: those of the tables, and their older values. */
    long entries() {
        return watchedEntries + olderValues;
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
    long read(long gpa, int level, EntryKind kind) {
        long hpa = hpa(gpa);
        if (hpa < 0) {
            return 0;
        }
        long key = key(gpa, kind);
        int last = kind.isSecondStage() ? LEVELS + level : level;
        WatchedTable table = lastKey[last] == key ? lastTable[last] : null;
        if (table == null) {
            table = watched(key, hpa >>> 12, kind);
            table.levels |= 1 << level;
            lastKey[last] = key;
            lastTable[last] = table;
        }
        return refresh(table, table.index(hpa), load(hpa, kind));
    }

    /** The watched table at {@code gpa}, or null if there is none. */
    WatchedTable find(long gpa, EntryKind kind) {
        return byGuest.get(key(gpa, kind));
    }

    /** The entry at {@code gpa}; nothing is watched because of it. */
    long peek(long gpa, EntryKind kind) {
        long hpa = hpa(gpa);
        return hpa < 0 ? 0 : load(hpa, kind);
    }

    /** Software has stored {@code bytes} bytes at {@code hpa}. */
    void written(long hpa, int bytes) {
        List<WatchedTable> tables = byHost.get(hpa >>> 12);
        for (int n = 0; tables != null && n < tables.size(); n++) {
            WatchedTable table = tables.get(n);
            int last = table.index(Math.min(hpa + bytes - 1, hpa | 0xfff));
            for (int i = table.index(hpa); i <= last; i++) {
                refresh(table, i, load((hpa & ~0xfffL) + (long) table.kind.bytes * i, table.kind));
            }
        }
    }

    /** The host has put guest frame {@code gfn} elsewhere. */
    void moved(long gfn) {
        for (EntryKind kind : EntryKind.values()) {
            WatchedTable table = byGuest.get(key(gfn << 12, kind));
            if (table != null) {
                leave(table);
                settle(table, hpa(gfn << 12) >>> 12);
            }
        }
    }

    private long load(long hpa, EntryKind kind) {
        return memory.load(hpa, kind.bytes);
    }

    private static long key(long gpa, EntryKind kind) {
        return (gpa >>> 12) << 4 | kind.ordinal() + 1;
    }

    private WatchedTable watched(long key, long hostFrame, EntryKind kind) {
        WatchedTable table = byGuest.get(key);
        if (table == null) {
            table = new WatchedTable(kind);
            for (int i = 0; i < table.size(); i++) {
                table.initialise(i, load((hostFrame << 12) + (long) kind.bytes * i, kind));
            }
            byGuest.put(key, table);
            watchedEntries += table.size();
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
     * Forgets what no processor can have cached any more. Between {@link #forget} and {@link #drop} everything is marked through which a
     * translation may have come.
     *
     * @param local no non-global translation is older than this
     * @param global no translation at all is older than this
     * @param stage no translation by a guest hypervisor's EPT or nested tables is older than this
     */
    void forget(long local, long global, long stage) {
        byGuest.forEachValue(t -> t.forget(local, global, stage));
        Arrays.fill(lastTable, null);
        sweeps++;
    }

    /** The table at {@code gpa}, if it is watched and not marked at {@code level} so far; it is now. */
    WatchedTable mark(long gpa, int level, EntryKind kind) {
        WatchedTable table = find(gpa, kind);
        if (table == null) {
            return null;
        }
        if (table.sweep != sweeps) {
            table.sweep = sweeps;
            table.sweepLevels = 0;
        }
        if ((table.sweepLevels >>> level & 1) != 0) {
            return null;
        }
        table.sweepLevels |= 1 << level;
        return table;
    }

    /** Stops watching what is not marked; answers the earliest end among the values still held. */
    long drop() {
        long earliest = WatchedTable.NEVER;
        olderValues = 0;
        for (long key : byGuest.keySet().toArray()) {
            WatchedTable table = byGuest.get(key);
            if (table.sweep != sweeps) {
                byGuest.remove(key);
                watchedEntries -= table.size();
                leave(table);
            } else {
                earliest = Math.min(earliest, table.earliestEnd());
                olderValues += table.olderTotal();
            }
        }
        return earliest;
    }
}
