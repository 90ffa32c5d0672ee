package org.penumbra.testkit.tlb;

import static org.penumbra.api.paging.ControlBits.*;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.TableFormat;

/**
 * What decides, beside the tables, which translations one vCPU may use under one VPID or ASID: its registers, and what it had to drop when. A
 * vCPU whose guest is a hypervisor is several of these: one for that, and one for each VPID that it gives its guests.
 */
final class AbstractProcessor {
    private static final List<Tables12> NONE = Collections.singletonList(null);

    final InvalidationTimes times = new InvalidationTimes();
    final RootHistory roots = new RootHistory();
    /** Shared by all VPIDs of the vCPU. */
    final EptTimes ept;
    PagingState state = new PagingState(0, 0, 0, 0, 0, 0);
    /** The tables of its hypervisor by which the guest's addresses are translated; null without such. */
    Tables12 tables12;
    /** All that have been in use under this VPID or ASID, and until when; those in use now until the end of time. */
    private final Map<Tables12, Long> usedUntil = new LinkedHashMap<>();
    /** When everything of an ASID was dropped last, what is cached by nested tables included. */
    private long asidDropped;
    /** The paging structures in use; null while paging is off. */
    TableFormat format;
    /** EFER.NXE was 1 in [from, to): only then was an entry with XD = 1 used, being reserved otherwise. */
    long nxeFrom = WatchedTable.NEVER;
    long nxeTo = WatchedTable.NEVER;

    private final ReferenceWalker walker;

    AbstractProcessor(ReferenceWalker walker, EptTimes ept) {
        this.walker = walker;
        this.ept = ept;
    }

    /** True if leaves with G = 1 are global. */
    boolean globals() {
        return state.has4(CR4_PGE);
    }

    /** INVLPG of {@code gva} retired, for which the tables have a leaf at {@code level}; 0 if none. */
    void invalidatedPage(long gva, int level, long time) {
        if (format == null) {
            return;
        }
        times.dropPage(state.pcid(), gva, format, level, time);
        times.dropGlobalPage(gva, format, level, time);
        times.dropCaches(state.pcid(), time);
    }

    /** INVPCID of {@code type} retired (SDM vol. 2, "INVPCID—Invalidate Process-Context Identifier"). */
    void invalidatedPcid(int type, int pcid, long gva, int level, long time) {
        switch (type) {
            case 0:
                if (format != null) {
                    times.dropPage(pcid, gva, format, pcid == state.pcid() ? level : 0, time);
                }
                break;
            case 1:
                times.dropAddressSpace(pcid, time);
                break;
            case 2:
                times.dropAll(time);
                break;
            case 3:
                times.dropAddressSpaces(time);
                break;
            default:
                throw new IllegalArgumentException("INVPCID type " + type + ": 0 to 3 are defined");
        }
    }

    /** A page fault for {@code gva} was delivered; the tables have a leaf at {@code level} for it, 0 if none. */
    void pageFault(long gva, int level, long time) {
        if (format == null) {
            return;
        }
        times.dropPage(state.pcid(), gva, format, level, time);
        if (!state.has4(CR4_PCIDE)) {
            times.dropGlobalPage(gva, format, level, time);
        }
    }

    /**
     * The registers are {@code next} now. Which one was written follows from what differs; CR3, if nothing does, or only the PDPTE
     * registers.
     */
    void loaded(PagingState next, boolean keepPcid, long time) {
        PagingState old = state;
        state = next;
        format = walker.format(next);
        roots.leave(time);
        boolean otherRegister = old.cr0() != next.cr0() || old.cr4() != next.cr4() || old.efer() != next.efer()
                || old.pkru() != next.pkru() || old.pkrs() != next.pkrs();
        boolean movToCr3 = old.cr3() != next.cr3() || !otherRegister;
        boolean everything = changed(old.cr0(), next.cr0(), CR0_PG)
                || changed(old.cr4(), next.cr4(), CR4_PGE)
                || old.has4(CR4_PCIDE) && !next.has4(CR4_PCIDE);
        boolean wholePcid = changed(old.cr4(), next.cr4(), CR4_PAE) || !old.has4(CR4_SMEP) && next.has4(CR4_SMEP);
        if (everything || wholePcid && !next.has4(CR4_PCIDE)) {
            times.dropAll(time);
        } else if (wholePcid) {
            times.dropAddressSpace(old.pcid(), time);
        } else if (movToCr3 && !(keepPcid && next.has4(CR4_PCIDE))) {
            times.dropAddressSpace(next.pcid(), time);
        }
        if (format != null) {
            roots.enter(AddressSpace.of(next, tables12, format), time);
        }
        noteNxe(time);
        roots.forget(globals() ? space -> times.sinceAll() : this::since);
    }

    /** The vCPU runs what has this VPID again: VM entries and VM exits drop nothing of a VPID other than 0. */
    void enter(PagingState next, Tables12 nextTables, long time) {
        state = next;
        tables12 = nextTables;
        if (tables12 != null) {
            usedUntil.put(tables12, WatchedTable.NEVER);
        }
        format = walker.format(next);
        roots.leave(time);
        if (format != null) {
            roots.enter(AddressSpace.of(next, tables12, format), time);
        }
        noteNxe(time);
    }

    /** The vCPU runs something else. */
    void leave(long time) {
        roots.leave(time);
        if (tables12 != null) {
            usedUntil.put(tables12, time);
        }
    }

    /** INVVPID of type 0, or INVLPGA, for {@code gva}: what this VPID or ASID would use for it, whatever the PCID, and no more. */
    void invalidatedAddress(long gva, long time) {
        for (int n = 0; n < roots.size(); n++) {
            AddressSpace space = roots.space(n);
            times.dropPage(space.pcid(), gva, space.format(), 0, time);
            times.dropGlobalPage(gva, space.format(), 0, time);
        }
    }

    /** A flush of the ASID that this is: APM vol. 2, "TLB Control". */
    void flushedAsid(long time) {
        times.dropAll(time);
        asidDropped = time;
    }

    /** {@code tables}, which are in use, and all others of which something may still be cached that serves them; of null null alone. */
    List<Tables12> sharing(Tables12 tables) {
        if (tables == null) {
            return NONE;
        }
        List<Tables12> sharing = new ArrayList<>();
        usedUntil.forEach((other, until) -> {
            if (until > sinceTables(other) && tables.sharesWith(other)) {
                sharing.add(other);
            }
        });
        return sharing;
    }

    /** Nothing that came by {@code tables} is older; 0 without such tables. Those of EPT are tagged by EP4TA, those of nested paging by the ASID. */
    long sinceTables(Tables12 tables) {
        return tables == null ? 0 : tables instanceof Ept12Tables tagged ? ept.since(tagged.eptp) : asidDropped;
    }

    /** No translation through {@code space} is older, unless it is global. */
    long since(AddressSpace space) {
        return Math.max(times.sinceAddressSpace(space.pcid()), sinceTables(space.tables12()));
    }

    /** No translation that is not global and may still be cached is older; the end of time if there is none. */
    long oldest() {
        long oldest = Long.MAX_VALUE;
        for (int n = 0; n < roots.size(); n++) {
            oldest = Math.min(oldest, since(roots.space(n)));
        }
        return oldest;
    }

    /** No translation by tables of its hypervisor that may still be cached is older; the end of time if there is none. */
    long oldestByTables() {
        long oldest = tables12 == null ? Long.MAX_VALUE : sinceTables(tables12);
        for (int n = 0; n < roots.size(); n++) {
            Tables12 tables = roots.space(n).tables12();
            oldest = tables == null ? oldest : Math.min(oldest, sinceTables(tables));
        }
        return oldest;
    }

    private void noteNxe(long time) {
        if (state.hasEfer(EFER_NXE)) {
            nxeFrom = Math.min(nxeFrom, time);
            nxeTo = WatchedTable.NEVER;
        } else {
            nxeTo = Math.min(nxeTo, time);
        }
    }

    private static boolean changed(long a, long b, long bit) {
        return ((a ^ b) & bit) != 0;
    }
}
