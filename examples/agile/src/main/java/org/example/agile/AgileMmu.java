package org.example.agile;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * The MMU of one machine: shadow tables, EPT tables, and which of the guest's tables are reached in which way. Writes to shadowed tables, to
 * nested ones that may have become quiet, and for the dirty log are noticed by write protection in both.
 */
final class AgileMmu implements Mmu, DirtyLogging {
    /** No table. */
    static final long NONE = -1;

    private static final LinearWalker WALKER = new SwitchingWalker();
    private static final long LEAST_PAGES = 64;
    private static final int PER_MILLE = 20;
    /**
     * A shadow root belongs to a CR3, and some states of CR0 and CR4 are not shadowed or make other shadow pages. INVLPG is the processor's
     * business alone, as shadow pages are in step.
     */
    private static final ControlDemand DEMAND = new ControlDemand(false, true, false,
            ControlBits.CR0_PE | ControlBits.CR0_PG | ControlBits.CR0_WP,
            ControlBits.CR4_PAE | ControlBits.CR4_PSE | ControlBits.CR4_LA57 | ControlBits.CR4_PCIDE | ControlBits.CR4_SMEP | ControlBits.CR4_SMAP
                    | ControlBits.CR4_PKE | ControlBits.CR4_PKS,
            0, 0, 0, 0);

    private final MmuHost host;
    private final EptTree ept;
    private final ShadowTree shadow;
    private final TableModes modes;
    private final int givenLimit;
    private final Counter taken;
    private final Counter fixed;
    private final Counter spurious;
    private final Counter emulated;
    private final Counter toNested;
    private final Counter toShadow;

    /**
     * A fault that the shadow tables made, the guest's own walk for it, and the frame that was found at {@code sequence} for its page or, if there is one,
     * the first nested table on the way.
     */
    record Owed(long gva, boolean write, GuestWalker walk, long table, long pfn, long sequence, int topRole) {
        long gfn() {
            return table != NONE ? table : walk.gfn;
        }

        int index(int level) {
            return (int) (gva >>> 12 + 9 * (level - 1)) & 511;
        }
    }

    AgileMmu(MmuHost host, int threshold, long interval, int pageLimit) {
        this.host = host;
        this.ept = new EptTree(host.lease());
        this.shadow = new ShadowTree(host, ept);
        this.modes = new TableModes(threshold, interval);
        this.givenLimit = pageLimit;
        this.taken = host.counters().counter("pf_taken");
        this.fixed = host.counters().counter("pf_fixed");
        this.spurious = host.counters().counter("pf_spurious");
        this.emulated = host.counters().counter("pf_emulate");
        this.toNested = host.counters().counter("agile_to_nested");
        this.toShadow = host.counters().counter("agile_to_shadow");
    }

    MmuHost host() {
        return host;
    }

    /** Rises whenever another root may be right. */
    long epoch() {
        return shadow.epoch();
    }

    /** The shadow of the top table in {@code gfn}; null if that is nested. */
    synchronized ShadowPage rootPage(long gfn, int role, CycleClock clock) {
        shadow.limit(pageLimit(), clock);
        return modes.nested(gfn) ? null : shadow.page(gfn, role, clock);
    }

    synchronized TranslationRoot root(ShadowPage top, CycleClock clock) {
        TranslationRoot.TwoDimensional nested = ept.root(clock);
        return top == null ? nested : new TranslationRoot.Switching(WALKER, top.spt, nested);
    }

    private long pageLimit() {
        return givenLimit != 0 ? Math.max(givenLimit, LEAST_PAGES) : Math.max(LEAST_PAGES, host.guestFrames() * PER_MILLE / 1000);
    }

    @Override
    public ControlDemand controlDemand() {
        return DEMAND;
    }

    @Override
    public MmuContext newContext(MmuContextHost contextHost) {
        return new AgileContext(this, contextHost);
    }

    /** Ends an interval of the policies when it is time. */
    void interval(CycleClock clock) {
        if (!modes.due(clock)) {
            return;
        }
        synchronized (this) {
            List<Long> quiet = new ArrayList<>();
            List<Long> busy = new ArrayList<>();
            modes.begin(clock, quiet, busy);
            boolean flush = false;
            for (long gfn : quiet) {
                flush |= shadow.unswitch(gfn, clock);
            }
            for (long gfn : busy) {
                flush |= shadow.protect(gfn, clock);
            }
            toShadow.add(quiet.size());
            if (!quiet.isEmpty()) {
                shadow.rootsChanged();
            }
            shadow.commit(clock, flush);
        }
    }

    /** The first nested table that {@code walk} went through, or {@link #NONE}. */
    synchronized long nestedTable(GuestWalker walk) {
        for (int level = walk.format.levels(); level >= walk.level; level--) {
            if (modes.nested(walk.tableGfn[level])) {
                return walk.tableGfn[level];
            }
        }
        return NONE;
    }

    /** The processor found nothing in the shadow tables, or not the right that it needs. */
    synchronized Resolution owed(Owed fault, GuestMemory guest, CycleClock clock) {
        taken.increment();
        if (guest.retry(fault.sequence, fault.gfn()) || nestedTable(fault.walk) != fault.table) {
            return Resolution.RETRY;
        }
        boolean write = fault.write && fault.table == NONE;
        if (write && mustBeSeen(fault.walk.gfn, true, clock)) {
            emulated.increment();
            return Resolution.EMULATE;
        }
        if (nestedTable(fault.walk) != fault.table) {
            // The page is one of the tables on the way to itself, and is nested now.
            return Resolution.RETRY;
        }
        shadow.limit(pageLimit(), clock);
        boolean done = build(fault, write, guest, clock);
        (done ? fixed : spurious).increment();
        if (done && write && guest.writable(fault.walk.gfn)) {
            host.dirtyLog().mark(fault.walk.gfn);
        }
        return Resolution.RETRY;
    }

    /**
     * True if the write that is to be made to {@code gfn} has to be emulated. A shadowed table that the guest writes too often becomes nested instead.
     *
     * @param guests it is a write of the guest, not a flag that the processor sets
     */
    private boolean mustBeSeen(long gfn, boolean guests, CycleClock clock) {
        if (host.writeTracking().isTracked(gfn)) {
            return true;
        }
        if (guests) {
            modes.seen(gfn);
        } else if (modes.watched(gfn)) {
            return true;
        }
        if (!shadow.shadows(gfn, clock)) {
            return false;
        }
        if (!guests || !modes.written(gfn)) {
            return true;
        }
        toNested.increment();
        shadow.zapTable(gfn, clock);
        shadow.commit(clock, false);
        return false;
    }

    private boolean writable(long gfn, boolean write, GuestMemory guest, CycleClock clock) {
        return guest.writable(gfn) && !host.writeTracking().isTracked(gfn) && (write || !host.dirtyLog().logs(gfn))
                && !shadow.shadows(gfn, clock) && !modes.watched(gfn);
    }

    /** The shadow path for {@code fault}, down to the page or to an entry that switches; false if all was there, or has changed meanwhile. */
    private boolean build(Owed fault, boolean write, GuestMemory guest, CycleClock clock) {
        GuestWalker walk = fault.walk;
        int top = walk.format.levels();
        if (walk.tableGfn[top] == fault.table) {
            return false;
        }
        ShadowPage page = shadow.page(walk.tableGfn[top], fault.topRole, clock);
        for (int level = top; ; level--) {
            // Now that the table is protected: is the entry still what the walk has read?
            if (walk.changed(level, fault.gva)) {
                return false;
            }
            if (level == walk.level) {
                return leaf(page, fault, write, guest, clock);
            }
            long below = walk.tableGfn[level - 1];
            int rights = walk.tableRights[level - 1];
            if (below == fault.table) {
                return switchTo(page, level, rights, fault, guest, clock);
            }
            page = child(page, fault.index(level), below, Role.of(level - 1, rights, Role.mode(fault.topRole), 0), clock);
        }
    }

    private boolean switchTo(ShadowPage page, int level, int rights, Owed fault, GuestMemory guest, CycleClock clock) {
        boolean flags = guest.writable(fault.table) && !host.writeTracking().isTracked(fault.table) && !host.dirtyLog().logs(fault.table);
        long entry = SwitchingWalker.switchTo(fault.pfn, rights, flags);
        if (shadow.entry(page, fault.index(level), clock) == entry) {
            // What the processor was not to set, the walk in software has set.
            return false;
        }
        shadow.commit(clock, shadow.switchTo(page, fault.index(level), fault.table, entry, clock));
        return true;
    }

    /** A large page of the guest is mapped in pieces of 4 KiB, by pages that shadow no table. */
    private boolean leaf(ShadowPage table, Owed fault, boolean write, GuestMemory guest, CycleClock clock) {
        ShadowPage page = table;
        for (int level = fault.walk.level; level > 1; level--) {
            long first = fault.walk.gfn & -(1L << 9 * (level - 1));
            page = child(page, fault.index(level), first, Role.direct(level - 1, fault.walk.rights, Role.mode(fault.topRole)), clock);
        }
        long gfn = fault.walk.gfn;
        boolean granted = (fault.walk.rights & Rights.WRITE) != 0 && writable(gfn, write, guest, clock);
        long gpte = fault.walk.gpte[fault.walk.level];
        long entry = SwitchingWalker.page(fault.pfn, granted ? fault.walk.rights : fault.walk.rights & ~Rights.WRITE, gpte);
        long there = shadow.entry(page, fault.index(1), clock);
        if (there == entry || there == (entry | SwitchingWalker.WRITABLE) && !write) {
            return false;
        }
        // A shadow entry is made of the guest's and the host's, so that one is there.
        if (!EptTree.present(ept.leaf(gfn, clock))) {
            ept.map(gfn, fault.pfn, writable(gfn, write, guest, clock), clock);
        }
        shadow.commit(clock, shadow.map(page, fault.index(1), gfn, entry, clock));
        if (!page.direct()) {
            prefetch(page, fault, guest, clock);
        }
        return true;
    }

    /**
     * Maps the neighbours in the same eight entries that the guest has used before and whose frames are there. KVM: {@code FNAME(pte_prefetch)}.
     */
    private void prefetch(ShadowPage page, Owed fault, GuestMemory guest, CycleClock clock) {
        GuestFormat format = fault.walk.format;
        int first = fault.index(1) & ~7;
        for (int i = first; i < first + 8; i++) {
            long gpte = SwitchingWalker.present(shadow.entry(page, i, clock)) ? 0 : guest.load(page.gpteGpa(i), 8);
            boolean usable = format.present(gpte) && (gpte & format.accessed()) != 0
                    && format.reservedBits(gpte, 1, (page.role & Role.EFER_NX) != 0, host.physicalAddressBits()) == 0;
            long gfn = format.gfn(gpte);
            long pfn = usable && !guest.retry(fault.sequence, gfn) ? guest.current(gfn) : NONE;
            if (pfn != NONE) {
                boolean dirty = (gpte & format.dirty()) != 0 && writable(gfn, false, guest, clock);
                int rights = Role.rights(page.role) & format.rights(gpte);
                shadow.map(page, i, gfn, SwitchingWalker.page(pfn, dirty ? rights : rights & ~Rights.WRITE, gpte), clock);
            }
        }
    }

    /** The page for (gfn, role), as that to which entry {@code index} of {@code page} leads. */
    private ShadowPage child(ShadowPage page, int index, long gfn, int role, CycleClock clock) {
        long entry = shadow.entry(page, index, clock);
        boolean table = SwitchingWalker.present(entry) && !SwitchingWalker.switching(entry);
        ShadowPage child = table ? shadow.child(entry) : null;
        if (child == null || child.gfn != gfn || child.role != role) {
            child = shadow.page(gfn, role, clock);
            shadow.commit(clock, shadow.link(page, index, child, clock));
        }
        return child;
    }

    /** EPT refused {@code gfn}. */
    Resolution violation(long gfn, long qualification, GuestMemory guest, CycleClock clock) {
        taken.increment();
        boolean write = (qualification & EptViolation.WRITE) != 0;
        boolean entryOfTable = (qualification & EptViolation.LINEAR_VALID) != 0 && (qualification & EptViolation.FINAL_ACCESS) == 0;
        long sequence = guest.sequence();
        // Outside the lock: giving the guest a frame of its own ends in a call of hostRangeChanged.
        long pfn = guest.pfn(gfn, write);
        if (pfn == GuestMemory.NO_SLOT) {
            return Resolution.MMIO;
        }
        synchronized (this) {
            if (guest.retry(sequence, gfn)) {
                return Resolution.RETRY;
            }
            boolean seen = write && mustBeSeen(gfn, !entryOfTable, clock);
            boolean writable = writable(gfn, write, guest, clock);
            long there = ept.leaf(gfn, clock);
            boolean enough = EptTree.present(there) && (!write || EptTree.writable(there));
            if (!enough) {
                ept.map(gfn, pfn, writable, clock);
            }
            if (seen) {
                emulated.increment();
                return Resolution.EMULATE;
            }
            (enough ? spurious : fixed).increment();
            if (write && writable) {
                host.dirtyLog().mark(gfn);
            }
            return Resolution.RETRY;
        }
    }

    @Override
    public synchronized void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        shadow.commit(clock, shadow.written(gpa >>> 12, (int) gpa & 0xfff, bytes, clock));
    }

    @Override
    public synchronized void writeProtect(long gfn, CycleClock clock) {
        shadow.commit(clock, shadow.protectAll(gfn, clock));
    }

    @Override
    public synchronized void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        boolean flush = false;
        for (long g = gfn; g < gfn + frames; g++) {
            flush |= ept.unmap(g, clock) | shadow.unmap(g, clock);
        }
        shadow.commit(clock, flush);
    }

    /** What was read from tables in these frames goes, too: everything, since slots change seldom. */
    @Override
    public synchronized void slotsChanged(long gfn, long frames, CycleClock clock) {
        shadow.zapAll(clock);
        modes.forget();
        hostRangeChanged(gfn, frames, clock);
    }

    /** The caller flushes. */
    @Override
    public synchronized void startDirtyLog(CycleClock clock) {
        ept.leaves(clock, (gfn, entry) -> {
            if (host.dirtyLog().logs(gfn)) {
                ept.protect(gfn, clock);
            }
        });
        shadow.protectEach(host.dirtyLog()::logs, clock);
    }

    /** What is still protected becomes writable with the next write to it; the processor may set flags in nested tables again. */
    @Override
    public synchronized void stopDirtyLog(CycleClock clock) {
        shadow.unswitchAll(clock);
        shadow.commit(clock, false);
    }

    /** Each write was marked when it faulted. */
    @Override
    public void collectDirty(CycleClock clock) {}

    @Override
    public synchronized void rearmDirty(long gfn, CycleClock clock) {
        shadow.protectAll(gfn, clock);
    }

    @Override
    public synchronized void audit(CycleClock clock, Consumer<String> violations) {
        new AgileAudit(host, ept, shadow, modes, clock, violations).run();
    }

    /** The structures go with the lease. */
    @Override
    public void close() {}
}
