package org.penumbra.testkit.tlb;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.testkit.reference.EptWalk;
import org.penumbra.testkit.reference.EptWalker;

/**
 * The EPT tables of a guest that is a hypervisor (EPT12), by which the guest-physical addresses of its guests (ngpa) become its own (gpa):
 * as they stand, and as a processor may have cached them.
 *
 * <p>Guest-physical mappings and paging-structure-cache entries outlive every change of an entry, until an INVEPT. So a translation is
 * to be had from the first moment at which all its entries can have been read, each after the one above it and after the last INVEPT, for
 * good.
 */
final class SecondStage {
    /** No translation. */
    static final long NONE = -1;
    /** Of a refusal: an EPT misconfiguration, which has no exit qualification. */
    static final int MISCONFIGURED = -1;
    /** What an exit qualification says of the rights that EPT allows. */
    private static final int ALLOWED = EptViolation.READABLE | EptViolation.WRITABLE | EptViolation.EXECUTABLE;
    private static final int ALLOWED_SHIFT = 3;
    private static final int RIGHTS = 7;

    /** A place to which an address may lead. */
    interface Place {
        /** @param from the moment from which on {@code gpa} may be known to the processor; true ends the search */
        boolean at(long gpa, long from);
    }

    private final WatchedTables tables;
    private final EptWalker walker;
    private final EptWalk walk = new EptWalk();
    private final LongUnaryOperator reader = this::read;

    SecondStage(WatchedTables tables, int maxPhyAddr) {
        this.tables = tables;
        walker = new EptWalker(maxPhyAddr, true, false);
    }

    private long read(long at) {
        return tables.read(at, walk.lowest - 1, EntryKind.EPT);
    }

    /** What an access to an entry of the guest's guest's own tables is to EPT. */
    static int ofTable(long eptp) {
        return EptWalker.tableAccessWrites(eptp) ? EptViolation.READ | EptViolation.WRITE : EptViolation.READ;
    }

    /** What an access of kind {@code access}, a set of bits of {@link Access}, is to EPT. */
    static int of(int access) {
        return Access.isWrite(access) ? EptViolation.WRITE : Access.isFetch(access) ? EptViolation.FETCH : EptViolation.READ;
    }

    /**
     * Where {@code ngpa} leads by the tables as they stand, {@link #NONE} if they refuse {@code access} or a flag that it sets is not set.
     * Without EPT an address is what it is.
     */
    long now(long eptp, long ngpa, int access) {
        if (eptp == AddressSpace.NO_EPT) {
            return ngpa;
        }
        walker.walk(eptp, ngpa, access, false, reader, walk);
        boolean write = (access & EptViolation.WRITE) != 0;
        for (int l = walk.lowest; l <= walk.top && walk.allowed(); l++) {
            if (walk.entry(l) != walk.entryAfter(l, write)) {
                return NONE;
            }
        }
        return walk.allowed() ? walk.hpa : NONE;
    }

    /** True if the tables as they stand refuse {@code access} to {@code ngpa} as {@code refusal} says. */
    boolean refusesNow(long eptp, long ngpa, int access, int refusal) {
        walker.walk(eptp, ngpa, access, false, reader, walk);
        return walk.outcome == EptWalk.Outcome.MISCONFIGURATION ? refusal == MISCONFIGURED
                : walk.outcome == EptWalk.Outcome.VIOLATION && refusal == (walk.qualification & ALLOWED);
    }

    /** What the last walk by {@link #now} or {@link #refusesNow} has used, in words. */
    String describe(long ngpa) {
        StringBuilder s = new StringBuilder(String.format("ngpa 0x%x %s", ngpa, walk.allowed() ? String.format("is gpa 0x%x", walk.hpa)
                : walk.outcome == EptWalk.Outcome.MISCONFIGURATION ? "is misconfigured" : "is refused"));
        for (int l = walk.top; l >= walk.lowest; l--) {
            s.append(String.format("%s 0x%x", l == walk.top ? " by EPT entries" : ",", walk.entry(l)));
        }
        return s.toString();
    }

    /**
     * Tells {@code place} where {@code ngpa} may lead for {@code access} by what was in the tables since {@code since}; true as soon as it
     * is content. Without EPT there is one place.
     *
     * @param always flags need not be set
     */
    boolean anyOf(long eptp, long since, long ngpa, int access, boolean always, Place place) {
        return eptp == AddressSpace.NO_EPT ? place.at(ngpa, 0) : new Past(eptp, ngpa, access, always, place, 0).search(since);
    }

    /** True if the processor may refuse {@code access} to {@code ngpa} as {@code refusal} says, by what was in the tables since {@code since}. */
    boolean mayRefuse(long eptp, long since, long ngpa, int access, int refusal) {
        return new Past(eptp, ngpa, access, true, null, refusal).search(since);
    }

    /** What an entry, or the EPT pointer, may have led to: of what differs in {@code from} alone the earliest is enough. */
    private record Reached(long address, long rights, long accessed, long from) {}

    /**
     * A search through present and past entries, level by level. A place is looked for, or, if there is none to tell, a refusal.
     */
    private final class Past {
        private final long eptp;
        private final long ngpa;
        private final long needed;
        private final boolean flags;
        private final Place place;
        private final int refusal;
        /** Tables of the next level, and pages. */
        private List<Reached> tablesBelow = new ArrayList<>();
        private final List<Reached> pages = new ArrayList<>();

        Past(long eptp, long ngpa, int access, boolean always, Place place, int refusal) {
            this.eptp = eptp;
            this.ngpa = ngpa;
            this.needed = access & RIGHTS;
            this.flags = !always && EptWalker.tableAccessWrites(eptp);
            this.place = place;
            this.refusal = refusal;
        }

        boolean search(long since) {
            int levels = (int) (eptp >>> 3 & 7) + 1;
            if (ngpa >>> 12 + 9 * levels != 0) {
                return refuses(0);
            }
            tablesBelow.add(new Reached(EptWalker.table(eptp), RIGHTS, flags ? EptWalker.ACCESSED : 0, since));
            for (int level = levels; level > 0; level--) {
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
            long at = above.address + 8 * (ngpa >>> 12 + 9 * (level - 1) & 511);
            long now = tables.read(at, level, EntryKind.EPT);
            WatchedTable table = tables.find(at, EntryKind.EPT);
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

        /** @param present in memory now: what is not present, or misconfigured, is never cached */
        private boolean value(long entry, int level, Reached above, long start, boolean present) {
            if ((entry & EntryKind.EPT.present) == 0) {
                return present && refuses(0);
            }
            if (walker.misconfigured(entry, level)) {
                return present && refuses(MISCONFIGURED);
            }
            long allowed = above.rights & entry;
            if (place != null && (allowed & needed) != needed) {
                return false;
            }
            // Rights beyond those needed are of no interest for a place.
            long rights = place == null ? allowed : needed;
            long used = above.accessed & entry;
            if (!EptWalker.isLeaf(entry, level)) {
                note(tablesBelow, new Reached(EptWalker.table(entry), rights, used, start));
                return false;
            }
            if (place == null) {
                return (allowed & needed) != needed && refuses((int) allowed << ALLOWED_SHIFT);
            }
            boolean dirty = (needed & EptViolation.WRITE) == 0 || (entry & EptWalker.DIRTY) != 0;
            if (!flags || used != 0 && dirty) {
                long offset = (1L << 12 + 9 * (level - 1)) - 1;
                note(pages, new Reached(EptWalker.table(entry) & ~offset | ngpa & offset, 0, 0, start));
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
