package org.example.agile;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.penumbra.api.clock.CycleClock;

/**
 * Which of the guest's tables are nested, by the policies of the paper's section on "Policies": all begin shadowed; one that the guest writes
 * a number of times within an interval becomes nested, and one that it has not written for a whole interval is shadowed again. Guarded by the MMU's
 * lock, but for {@link #due}.
 */
final class TableModes {
    /** One table, from its first write on. */
    private static final class Table {
        private long interval;
        private int writes;
        private boolean nested;
        /** Nested, and not written since this interval began: the next write is to be seen. */
        private boolean watched;
    }

    private final int threshold;
    private final long length;
    private final TreeMap<Long, Table> tables = new TreeMap<>();
    private volatile long interval;

    /**
     * @param threshold writes that make a table nested; 0: none ever does
     * @param length simulated cycles of an interval
     */
    TableModes(int threshold, long length) {
        this.threshold = threshold;
        this.length = length;
    }

    boolean nested(long gfn) {
        Table t = tables.get(gfn);
        return t != null && t.nested;
    }

    /** True if the next write to {@code gfn} is to be seen, as it tells that the table is in use. */
    boolean watched(long gfn) {
        Table t = tables.get(gfn);
        return t != null && t.watched;
    }

    /** The guest writes the shadowed table in {@code gfn}: true if it is nested from now on. */
    boolean written(long gfn) {
        if (threshold == 0) {
            return false;
        }
        Table t = tables.computeIfAbsent(gfn, g -> new Table());
        if (t.interval != interval) {
            t.interval = interval;
            t.writes = 0;
        }
        t.nested = ++t.writes >= threshold;
        return t.nested;
    }

    /** A watched table is written. */
    void seen(long gfn) {
        Table t = tables.get(gfn);
        if (t != null) {
            t.watched = false;
        }
    }

    /** True if an interval has ended by the time on {@code clock}. */
    boolean due(CycleClock clock) {
        return clock.total() / length > interval;
    }

    /**
     * Begins the interval that {@code clock} is in. Of the nested tables those that were not written for one are shadowed from now on, and
     * are added to {@code quiet}; the others are watched from now on, and are added to {@code busy}.
     */
    void begin(CycleClock clock, List<Long> quiet, List<Long> busy) {
        interval = clock.total() / length;
        for (long gfn : new ArrayList<>(tables.keySet())) {
            Table t = tables.get(gfn);
            if (t.nested && !t.watched) {
                t.watched = true;
                busy.add(gfn);
            } else {
                if (t.nested) {
                    quiet.add(gfn);
                }
                tables.remove(gfn);
            }
        }
    }

    /** Everything is shadowed from now on. */
    void forget() {
        tables.clear();
    }
}
