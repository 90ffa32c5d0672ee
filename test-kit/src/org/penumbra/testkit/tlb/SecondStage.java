package org.penumbra.testkit.tlb;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.EptViolation;

/**
 * What the tables of a guest that is a hypervisor ({@link Tables12}) say of addresses of its guests: as they stand, and as a processor may have
 * cached them.
 *
 * <p>Guest-physical mappings and paging-structure-cache entries outlive every change of an entry, until an INVEPT, or a flush of the ASID. So a
 * translation is to be had from the first moment at which all its entries can have been read, each after the one above it and after the last such
 * invalidation, for good.
 */
final class SecondStage {
    /** No translation. */
    static final long NONE = -1;

    /** A place to which an address may lead. */
    interface Place {
        /** @param from the moment from which on {@code gpa} may be known to the processor; true ends the search */
        boolean at(long gpa, long from);
    }

    private final WatchedTables tables;
    /** Whose tables the walk that is going on reads. */
    private Tables12 walked;
    private final LongUnaryOperator reader = this::read;

    SecondStage(WatchedTables tables) {
        this.tables = tables;
    }

    private long read(long at) {
        return tables.read(at, walked.lowest() - 1, walked.kind);
    }

    private boolean walk(Tables12 tables12, long ngpa, int access) {
        walked = tables12;
        return tables12.walk(ngpa, access, reader);
    }

    /**
     * Where {@code ngpa} leads by the tables as they stand, {@link #NONE} if they refuse {@code access} or a flag that it sets is not set.
     * Without such tables an address is what it is.
     */
    long now(Tables12 tables12, long ngpa, int access) {
        if (tables12 == null) {
            return ngpa;
        }
        if (!walk(tables12, ngpa, access)) {
            return NONE;
        }
        boolean write = (access & EptViolation.WRITE) != 0;
        for (int l = tables12.lowest(); l <= tables12.levels; l++) {
            if (tables12.entry(l) != tables12.entryAfter(l, write)) {
                return NONE;
            }
        }
        return tables12.gpa();
    }

    /** True if the tables as they stand refuse {@code access} to {@code ngpa} as {@code refusal} says. */
    boolean refusesNow(Tables12 tables12, long ngpa, int access, int refusal) {
        return !walk(tables12, ngpa, access) && tables12.refused() == refusal;
    }

    /** What the tables say of {@code access} to {@code ngpa}, in words. */
    String describe(Tables12 tables12, long ngpa, int access) {
        boolean allowed = walk(tables12, ngpa, access);
        StringBuilder s = new StringBuilder(String.format("ngpa 0x%x %s", ngpa, allowed ? String.format("is gpa 0x%x", tables12.gpa())
                : tables12.refused() == tables12.malformed() ? "is misconfigured" : "is refused"));
        for (int l = tables12.levels; l >= tables12.lowest(); l--) {
            s.append(String.format("%s 0x%x", l == tables12.levels ? " by " + tables12.entryName() : ",", tables12.entry(l)));
        }
        return s.toString();
    }

    /**
     * Tells {@code place} where {@code ngpa} may lead for {@code access} by what was in the tables since {@code since}; true as soon as it
     * is content. Without such tables there is one place.
     *
     * @param always flags need not be set
     */
    boolean anyOf(Tables12 tables12, long since, long ngpa, int access, boolean always, Place place) {
        return tables12 == null ? place.at(ngpa, 0) : new Past(tables12, ngpa, access, always, place, 0).search(since);
    }

    /** True if the processor may refuse {@code access} to {@code ngpa} as {@code refusal} says, by what was in the tables since {@code since}. */
    boolean mayRefuse(Tables12 tables12, long since, long ngpa, int access, int refusal) {
        return new Past(tables12, ngpa, access, true, null, refusal).search(since);
    }

    /** What an entry, or the root, may have led to: of what differs in {@code from} alone the earliest is enough. */
    private record Reached(long address, int rights, long accessed, long from) {}

    /**
     * A search through present and past entries, level by level. A place is looked for, or, if there is none to tell, a refusal.
     */
    private final class Past {
        private final Tables12 tables12;
        private final long ngpa;
        private final int needed;
        private final boolean flags;
        private final Place place;
        private final int refusal;
        /** Tables of the next level, and pages. */
        private List<Reached> tablesBelow = new ArrayList<>();
        private final List<Reached> pages = new ArrayList<>();

        Past(Tables12 tables12, long ngpa, int access, boolean always, Place place, int refusal) {
            this.tables12 = tables12;
            this.ngpa = ngpa;
            this.needed = access & Tables12.RIGHTS;
            this.flags = !always && tables12.flags;
            this.place = place;
            this.refusal = refusal;
        }

        boolean search(long since) {
            if (!tables12.hold(ngpa)) {
                return refuses(tables12.notPresent());
            }
            tablesBelow.add(new Reached(tables12.top, Tables12.RIGHTS, flags ? tables12.accessed : 0, since));
            for (int level = tables12.levels; level > 0; level--) {
                List<Reached> now = tablesBelow;
                tablesBelow = new ArrayList<>();
                for (Reached table : now) {
                    if (table(table, level)) {
                        return true;
                    }
                }
            }
            for (Reached page : pages) {
                if (place.at(page.address, page.from)) {
                    return true;
                }
            }
            return false;
        }

        private boolean table(Reached above, int level) {
            long at = Tables12.entryAt(above.address, ngpa, level);
            long now = tables.read(at, level, tables12.kind);
            WatchedTable table = tables.find(at, tables12.kind);
            if (table == null) {
                return value(now, level, above, above.from, true);
            }
            int i = table.index(at);
            if (value(now, level, above, Math.max(above.from, table.since(i)), true)) {
                return true;
            }
            for (int n = table.olderValues(i) - 1; n >= 0; n--) {
                long start = Math.max(above.from, table.olderFrom(i, n));
                if (start < table.olderTo(i, n) && value(table.olderValue(i, n), level, above, start, false)) {
                    return true;
                }
            }
            return false;
        }

        /** @param present in memory now: what is not present, or malformed, is never cached */
        private boolean value(long entry, int level, Reached above, long start, boolean present) {
            if ((entry & tables12.kind.present) == 0) {
                return present && refuses(tables12.notPresent());
            }
            if (tables12.malformed(entry, level)) {
                return present && refuses(tables12.malformed());
            }
            int allowed = above.rights & tables12.rights(entry);
            if (place != null && (allowed & needed) != needed) {
                return false;
            }
            // Rights beyond those needed are of no interest for a place.
            int rights = place == null ? allowed : needed;
            long used = above.accessed & entry;
            if (!tables12.isLeaf(entry, level)) {
                note(tablesBelow, new Reached(Tables12.table(entry), rights, used, start));
                return false;
            }
            if (place == null) {
                return (allowed & needed) != needed && refuses(tables12.forbidden(allowed));
            }
            boolean dirty = (needed & EptViolation.WRITE) == 0 || (entry & tables12.dirty) != 0;
            if (!flags || used != 0 && dirty) {
                long offset = (1L << 12 + 9 * (level - 1)) - 1;
                note(pages, new Reached(Tables12.table(entry) & ~offset | ngpa & offset, 0, 0, start));
            }
            return false;
        }

        private static void note(List<Reached> found, Reached next) {
            for (int i = 0; i < found.size(); i++) {
                Reached r = found.get(i);
                if (r.address == next.address && r.rights == next.rights && r.accessed == next.accessed) {
                    if (next.from < r.from) {
                        found.set(i, next);
                    }
                    return;
                }
            }
            found.add(next);
        }

        private boolean refuses(int how) {
            return place == null && how == refusal;
        }
    }
}
