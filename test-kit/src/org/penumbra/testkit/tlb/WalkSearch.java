package org.penumbra.testkit.tlb;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.List;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.TableFormat;

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
 *
 * <p>In a guest's guest that runs on EPT or nested tables of its hypervisor, each entry lies where these may lead at the moment when it is read, and so
 * does the page; nothing of it is older than the last INVEPT or flush of the ASID.
 *
 * <p>What an entry meant was decided by CR4.PSE and EFER.NXE when it was read, what it allows is by the registers of now.
 */
final class WalkSearch {
    private final WatchedTables tables;
    private final SecondStage stage;
    private final int maxPhyAddr;

    private AbstractProcessor cpu;
    private long gva;
    private int access;
    /** The hpa that a walk must yield, or −1 if a page fault is to be explained. */
    private long hpa;
    private int errorCode;
    /** Ask only whether the entries ever existed: no windows, no accessed and dirty bits. */
    private boolean atAnyTime;

    private AddressSpace space;
    private TableFormat format;
    private EntryKind kind;
    /** The last drop of what came by the tables of the space's hypervisor. */
    private long sinceTables;
    /** The tables of the guest's hypervisor by which something that serves now may be cached. */
    private List<Tables12> sharing;
    private final long[] entry = new long[TableFormat.MOST_LEVELS + 1];
    private final long[] from = new long[TableFormat.MOST_LEVELS + 1];
    private final long[] to = new long[TableFormat.MOST_LEVELS + 1];
    private int leaf;

    WalkSearch(WatchedTables tables, SecondStage stage, int maxPhyAddr) {
        this.tables = tables;
        this.stage = stage;
        this.maxPhyAddr = maxPhyAddr;
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
        if (format == null) {
            return String.format("older entries of the second dimension, not allowed since the invalidation at event %d", vcpu.sinceTables(vcpu.tables12));
        }
        for (int level = format.levels(); level >= leaf; level--) {
            s.append(String.format("%s%s 0x%x", s.length() == 0 ? "" : ", ", TableFormat.name(level), entry[level]));
            if (to[level] != WatchedTable.NEVER) {
                s.append(String.format(" (until event %d)", to[level]));
            }
        }
        return s + String.format(", not allowed since the invalidation at event %d", since(leaf, global(leaf)));
    }

    private boolean search(AbstractProcessor vcpu, long gva, int access, long hpa, int errorCode, boolean atAnyTime) {
        this.cpu = vcpu;
        this.gva = gva;
        this.access = access;
        this.hpa = hpa;
        this.errorCode = errorCode;
        this.atAnyTime = atAnyTime;
        sharing = vcpu.sharing(vcpu.tables12);
        if (vcpu.format == null) {
            format = null;
            sinceTables = vcpu.sinceTables(vcpu.tables12);
            return hpa >= 0 && leads(gva & 0xffff_ffffL);
        }
        for (int n = vcpu.roots.size() - 1; n >= 0; n--) {
            space = vcpu.roots.space(n);
            format = space.format();
            kind = EntryKind.of(format);
            sinceTables = vcpu.sinceTables(space.tables12());
            if (sharing.contains(space.tables12()) && (isCurrent() || vcpu.globals()) && top(vcpu.roots.from(n), vcpu.roots.to(n))) {
                return true;
            }
        }
        return false;
    }

    private boolean top(long after, long before) {
        long top = space.top(gva);
        if (top != AddressSpace.ABSENT) {
            return table(top, format.levels(), after, before);
        }
        // a PDPTE register is used as it is now
        return before == WatchedTable.NEVER && hpa < 0 && AccessRights.errorCode(cpu.state, access, 0) == errorCode;
    }

    private boolean isCurrent() {
        return space.pcid() == cpu.state.pcid();
    }

    /** Tries every value that the entry for gva has had in the table at {@code address}, as far as it was read in [after, before). */
    private boolean table(long address, int level, long after, long before) {
        long entryAt = address + (long) format.entryBytes() * format.index(gva, level);
        for (Tables12 tables12 : sharing) {
            if (stage.anyOf(tables12, atAnyTime ? 0 : sinceTables, entryAt, Tables12.ofTable(tables12), atAnyTime,
                    (at, known) -> values(at, level, Math.max(after, known), before))) {
                return true;
            }
        }
        return false;
    }

    private boolean values(long at, int level, long after, long before) {
        WatchedTable table = tables.find(at, kind);
        if (table == null) {
            boolean explains = value(tables.peek(at, kind), level, after, before);
            if (explains) {
                // only now is it known to be a table: watch it
                tables.read(at, level, kind);
            }
            return explains;
        }
        tables.read(at, level, kind);
        int i = table.index(at);
        if (value(table.value(i), level, Math.max(after, table.since(i)), before)) {
            return true;
        }
        for (int n = table.olderValues(i) - 1; n >= 0; n--) {
            long start = Math.max(after, table.olderFrom(i, n));
            // Replaced values are kept with A and D, and those are reserved bits where an entry has none.
            long older = format.hasAccessed(level) ? table.olderValue(i, n) : table.olderValue(i, n) & ~(A | D);
            if (value(older, level, start, Math.min(before, table.olderTo(i, n)))) {
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
        if ((candidate & P) == 0) {
            return faultsNow(level, 0);
        }
        boolean isLeaf = format.isLeaf(candidate, level, space.pse());
        if ((candidate & format.reserved(level, isLeaf, maxPhyAddr, cpu.state.hasEfer(ControlBits.EFER_NXE))) != 0
                && faultsNow(level, PageFaultError.PRESENT | PageFaultError.RESERVED)) {
            return true;
        }
        if ((candidate & format.reserved(level, isLeaf, maxPhyAddr, true)) != 0) {
            return false;
        }
        if ((format.rights(candidate, level) & XD) != 0) {
            from[level] = Math.max(start, cpu.nxeFrom);
            to[level] = Math.min(end, cpu.nxeTo);
            if (from[level] >= to[level]) {
                return false;
            }
        }
        return isLeaf ? leaf(level) : table(format.table(candidate), level - 1, 0, WatchedTable.NEVER);
    }

    /** True if the entry at {@code level}, which is never cached because it is not present or has a reserved bit set, is the fault. */
    private boolean faultsNow(int level, int cause) {
        return hpa < 0 && AccessRights.errorCode(cpu.state, access, cause) == errorCode
                && readable(level, tables.now(), since(1, false), isCurrent());
    }

    private boolean leaf(int level) {
        long rights = AccessRights.FULL;
        boolean accessed = true;
        for (int l = format.levels(); l >= level; l--) {
            rights = AccessRights.combine(rights, format.rights(entry[l], l));
            accessed &= (entry[l] & A) != 0 || !format.hasAccessed(l);
        }
        // the manual does not say whether XD, once cached, counts while EFER.NXE = 0
        long withoutXd = cpu.state.hasEfer(ControlBits.EFER_NXE) ? rights : rights & ~XD;
        int wanted = hpa < 0 ? errorCode : AccessRights.ALLOWED;
        int key = format.key(entry[level]);
        if (AccessRights.check(cpu.state, access, rights, key) != wanted && AccessRights.check(cpu.state, access, withoutXd, key) != wanted) {
            return false;
        }
        if (hpa < 0) {
            return cached(level);
        }
        if (!leads(format.gpa(entry[level], level, gva))) {
            return false;
        }
        leaf = level;
        boolean dirty = !Access.isWrite(access) || (entry[level] & D) != 0;
        return atAnyTime || accessed && dirty && cached(level);
    }

    /** True if the page at {@code address} may be at {@link #hpa}. */
    private boolean leads(long address) {
        for (Tables12 tables12 : sharing) {
            if (stage.anyOf(tables12, atAnyTime ? 0 : sinceTables, address, Tables12.of(access), atAnyTime, (gpa, known) -> tables.hpa(gpa) == hpa)) {
                return true;
            }
        }
        return false;
    }

    /** True if the path down to the leaf at {@code level} may be in the TLB now, or be read now. */
    private boolean cached(int level) {
        boolean global = global(level);
        long since = since(level, global);
        return readable(level, Math.max(from[level], since), global ? Math.max(cpu.times.sinceAll(), sinceTables) : since, global || isCurrent());
    }

    private boolean global(int level) {
        return (entry[level] & G) != 0 && cpu.globals();
    }

    private long since(int level, boolean global) {
        return Math.max(sinceTables, global ? cpu.times.sinceGlobal(gva, format, level) : cpu.times.since(space.pcid(), gva, format, level));
    }

    /**
     * True if there are moments to read the entries of the path, the last at {@code level} at {@code earliest} or later, and
     * none of those above before {@code upper}.
     */
    private boolean readable(int level, long earliest, long upper, boolean matches) {
        long last = earliest;
        long replaced = WatchedTable.NEVER;
        for (int l = format.levels(); l > level; l--) {
            long first = Math.max(from[l], upper);
            for (int lower = l; lower >= level; lower--) {
                if (to[lower] <= first) {
                    return false;
                }
            }
            last = Math.max(last, first);
            replaced = Math.min(replaced, to[l]);
        }
        return matches && last < to[level] && (last < replaced || !cpu.times.cachesDropped(space.pcid(), replaced - 1, last));
    }
}
