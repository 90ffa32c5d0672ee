package org.penumbra.testkit.tlb;

import static org.penumbra.testkit.reference.EntryBits.*;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.ReferenceWalker;

/**
 * Looks for a walk, through what the tables hold and have held, that explains a translation or a page fault.
 *
 * <p>A processor reads the entries of a walk from the top down, each at a moment of its own, because paging-structure caches let
 * it take the upper part of a walk from an earlier one. So a translation may be cached if there are moments r4 ≤ r3 ≤ r2 ≤ r1
 * such that each entry was in memory when it was read, CR3 named the top-level table at r4, the paging-structure caches were not
 * dropped after r4 until r1, and the TLB entry was not dropped after r1.
 *
 * <p>The latest possible r4 for a given r1 is the earliest of r1 and the last moments of the entries above the leaf. If r1 can
 * lie before each of these ends, all entries were in memory together and no drop matters. Otherwise the smallest r1 is best.
 */
final class WalkSearch {
    private final WatchedTables tables;
    private final ReferenceWalker walker;

    private AbstractProcessor cpu;
    private long gva;
    private int access;
    /** The hpa that a walk must yield, or −1 if a page fault is to be explained. */
    private long hpa;
    private int errorCode;
    /** Ask only whether the entries ever existed: no windows, no accessed and dirty bits. */
    private boolean atAnyTime;

    private int pcid;
    private final long[] entry = new long[LEVELS + 1];
    private final long[] from = new long[LEVELS + 1];
    private final long[] to = new long[LEVELS + 1];
    private int leaf;

    WalkSearch(WatchedTables tables, ReferenceWalker walker) {
        this.tables = tables;
        this.walker = walker;
    }

    /** True if {@code vcpu} may have cached a translation of {@code gva} to {@code hpa} with the rights and flags for {@code access}. */
    boolean translation(AbstractProcessor vcpu, long gva, int access, long hpa) {
        return search(vcpu, gva, access, hpa, 0, false);
    }

    /** True if a walk of {@code vcpu}, perhaps with cached parts, ends in a #PF with {@code errorCode}. */
    boolean fault(AbstractProcessor vcpu, long gva, int access, int errorCode) {
        return search(vcpu, gva, access, -1, errorCode, false);
    }

    /** The walk that would explain the translation if invalidations and flags did not matter; null if there is none. */
    String anyTime(AbstractProcessor vcpu, long gva, int access, long hpa) {
        if (!search(vcpu, gva, access, hpa, 0, true)) {
            return null;
        }
        StringBuilder s = new StringBuilder();
        for (int level = LEVELS; level >= leaf; level--) {
            s.append(String.format("%s%s 0x%x", s.length() == 0 ? "" : ", ", name(level), entry[level]));
            if (to[level] != WatchedTable.NEVER) {
                s.append(String.format(" (until event %d)", to[level]));
            }
        }
        boolean global = (entry[leaf] & G) != 0 && vcpu.globals();
        long since = global ? vcpu.times.sinceGlobal(gva, shift(leaf)) : vcpu.times.since(pcid, gva, shift(leaf));
        return s + String.format(", not allowed since the invalidation at event %d", since);
    }

    private boolean search(AbstractProcessor vcpu, long gva, int access, long hpa, int errorCode, boolean atAnyTime) {
        this.cpu = vcpu;
        this.gva = gva;
        this.access = access;
        this.hpa = hpa;
        this.errorCode = errorCode;
        this.atAnyTime = atAnyTime;
        for (int n = vcpu.roots.size() - 1; n >= 0; n--) {
            pcid = vcpu.roots.pcid(n);
            boolean current = pcid == vcpu.state.pcid();
            if ((current || vcpu.globals()) && table(vcpu.roots.root(n), LEVELS, vcpu.roots.from(n), vcpu.roots.to(n))) {
                return true;
            }
        }
        return false;
    }

    /** Tries every value that the entry for gva has had in the table at {@code gpa}, as far as it was read in [after, before). */
    private boolean table(long gpa, int level, long after, long before) {
        int i = index(gva, level);
        long at = gpa + 8L * i;
        WatchedTable table = tables.find(gpa);
        if (table == null) {
            boolean explains = value(tables.peek(at), level, after, before);
            if (explains) {
                // only now is it known to be a table: watch it
                tables.read(at, level);
            }
            return explains;
        }
        tables.read(at, level);
        if (value(table.value(i), level, Math.max(after, table.since(i)), before)) {
            return true;
        }
        for (int n = table.olderValues(i) - 1; n >= 0; n--) {
            long start = Math.max(after, table.olderFrom(i, n));
            if (value(table.olderValue(i, n), level, start, Math.min(before, table.olderTo(i, n)))) {
                return true;
            }
        }
        return false;
    }

    private boolean value(long candidate, int level, long start, long end) {
        if (start >= end) {
            return false;
        }
        entry[level] = candidate;
        from[level] = start;
        to[level] = end;
        boolean present = (candidate & P) != 0;
        if (!present || (candidate & walker.reserved(cpu.state, candidate, level)) != 0) {
            int cause = present ? PageFaultError.PRESENT | PageFaultError.RESERVED : 0;
            // such an entry is never cached: it is read now
            return hpa < 0 && AccessRights.errorCode(cpu.state, access, cause) == errorCode
                    && readable(level, tables.now(), cpu.times.since(pcid, gva, shift(1)), pcid == cpu.state.pcid());
        }
        if (isLeaf(candidate, level)) {
            return leaf(level);
        }
        return table(candidate & FRAME, level - 1, 0, WatchedTable.NEVER);
    }

    private boolean leaf(int level) {
        long rights = AccessRights.FULL;
        long flags = A;
        for (int l = LEVELS; l >= level; l--) {
            rights = AccessRights.combine(rights, entry[l]);
            flags &= entry[l];
        }
        int outcome = AccessRights.check(cpu.state, access, rights, key(entry[level]));
        if (hpa < 0) {
            return outcome == errorCode && cached(level);
        }
        if (outcome != AccessRights.ALLOWED || tables.hpa(gpa(entry[level], level, gva)) != hpa) {
            return false;
        }
        leaf = level;
        boolean dirty = !Access.isWrite(access) || (entry[level] & D) != 0;
        return atAnyTime || flags != 0 && dirty && cached(level);
    }

    /** True if the path down to the leaf at {@code level} may be in the TLB now, or be read now. */
    private boolean cached(int level) {
        boolean global = (entry[level] & G) != 0 && cpu.globals();
        long since = global ? cpu.times.sinceGlobal(gva, shift(level)) : cpu.times.since(pcid, gva, shift(level));
        return readable(level, Math.max(from[level], since), global ? cpu.times.sinceAll() : since,
                global || pcid == cpu.state.pcid());
    }

    /**
     * True if there are moments to read the entries of the path, the last at {@code level} at {@code earliest} or later, and
     * none of those above before {@code upper}.
     */
    private boolean readable(int level, long earliest, long upper, boolean matches) {
        long last = earliest;
        long replaced = WatchedTable.NEVER;
        for (int l = LEVELS; l > level; l--) {
            long first = Math.max(from[l], upper);
            for (int lower = l; lower >= level; lower--) {
                if (to[lower] <= first) {
                    return false;
                }
            }
            last = Math.max(last, first);
            replaced = Math.min(replaced, to[l]);
        }
        return matches && last < to[level] && (last < replaced || !cpu.times.cachesDropped(pcid, replaced - 1, last));
    }
}
