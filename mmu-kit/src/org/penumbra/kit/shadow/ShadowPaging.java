package org.penumbra.kit.shadow;

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
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.mmu.PageAgeing;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.MmioSptes;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.PageLimit;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * Shadow paging for one virtual machine. {@link MmuLock} guards everything that is not a context's own.
 *
 * <pre>
 *  shared     faults that put leaves into shadow pages that are there, by compare-and-set; looking whether a path is in step
 *  exclusive  whatever makes, links, zaps or protects shadow pages, makes them unsync or brings them in step; notifier, slots, harvest
 * </pre>
 *
 * KVM serves every fault of shadow paging alone. Under the lock come, in this order, a stripe of the reverse map and the lease's own.
 */
public final class ShadowPaging implements Mmu, DirtyLogging, PageAgeing {
    /** Emulated writes after which a table that no fault used meanwhile is taken to be one no longer. KVM: 3. */
    private static final int FLOODING = 3;
    /** Obsolete pages that are zapped before the lock is given up. KVM: BATCH_ZAP_PAGES. */
    private static final int ZAP_BATCH = 10;
    /** "Not write-through" and "cache disable". */
    private static final long CR0_NW = 1L << 29;
    private static final long CR0_CD = 1L << 30;

    private static final ControlDemand DEMAND = demand();

    final MmuHost host;
    final ShadowOptions options;
    /** Of the sptes. */
    final SpteFormat format;
    /** That the processor's tables have, whatever those that are shadowed have. */
    private final int leastLevels;
    final MmuLock lock;
    final ShadowCounters counters;
    final ShadowTree tree;
    final SpteMaker maker;
    final ShadowSync sync;
    final Prefetch prefetch;
    /** What becomes an MMIO spte; null if the processor has no reserved bit for it. */
    final MmioSptes mmio;
    private volatile long pageLimit;
    /** The generation of the slots above the bits that MMIO sptes can hold. */
    private volatile long mmioEpoch;
    private final List<Worker> workers = new ArrayList<>();
    private final List<Roots> vcpuRoots = new ArrayList<>();

    /** Shadow paging with {@code options} for the machine behind {@code host}. */
    public ShadowPaging(MmuHost host, ShadowOptions options) {
        this(host, options, SpteFormat.LEGACY, TableProtection.NONE, 0);
    }

    /**
     * The shadows of a guest hypervisor's EPT tables, themselves EPT tables: EPT02. {@code protection} sees to it that the guest hypervisor
     * does not write its tables unnoticed.
     */
    public static ShadowPaging ofEpt(MmuHost host, ShadowOptions options, TableProtection protection) {
        return new ShadowPaging(host, options, SpteFormat.EPT, protection, 0);
    }

    /**
     * The same of nested tables: NPT02, whose entries are those of page tables (APM vol. 2, "Nested Paging").
     *
     * @param levels of the host's paging
     */
    public static ShadowPaging ofNested(MmuHost host, ShadowOptions options, TableProtection protection, int levels) {
        return new ShadowPaging(host, options, SpteFormat.LEGACY, protection, levels);
    }

    private ShadowPaging(MmuHost host, ShadowOptions options, SpteFormat format, TableProtection protection, int leastLevels) {
        this.host = host;
        this.options = options;
        this.format = format;
        this.leastLevels = leastLevels;
        this.lock = new MmuLock(options.singleLock());
        this.counters = new ShadowCounters(host.counters());
        this.tree = new ShadowTree(host, options, format, protection, counters);
        this.mmio = format.mmio(host.physicalAddressBits());
        this.pageLimit = options.pageLimit(host.guestFrames());
        this.maker = new SpteMaker(tree, host.dirtyLog(), counters, options.unsync());
        this.sync = new ShadowSync(host, tree, maker, counters);
        this.prefetch = new Prefetch(host, options, sync, maker);
    }

    /**
     * The guest's CR0.WP is really 1, so that supervisor writes to protected tables fault, and so is CR0.PG, without which there
     * is no translation at all. A guest without paging, or with 32-bit paging, runs on PAE tables: CR4.PAE is really 1. So is
     * EFER.NXE, since a page may have to be execute-disable although the guest has no such thing (KVM: update_transition_efer). Bits
     * that change the format or the rights of entries must be seen, and CR0.CD and CR0.NW, whose change loads the PDPTE registers.
     */
    private static ControlDemand demand() {
        long forced = ControlBits.CR0_WP | ControlBits.CR0_PG | ControlBits.CR0_PE;
        long cr4 = ControlBits.CR4_PAE | ControlBits.CR4_PSE | ControlBits.CR4_PGE | ControlBits.CR4_LA57 | ControlBits.CR4_PCIDE
                | ControlBits.CR4_SMEP | ControlBits.CR4_SMAP | ControlBits.CR4_PKE | ControlBits.CR4_PKS;
        // KVM hides protection keys without two-dimensional paging too.
        long hidden = ControlBits.CR4_PKE | ControlBits.CR4_PKS;
        return new ControlDemand(
                true, true, true, forced | CR0_CD | CR0_NW, cr4, forced, ControlBits.CR4_PAE, ControlBits.EFER_NXE, hidden);
    }

    /** Why shadow paging cannot run a guest in {@code state}; empty if it can. */
    public static String objectionTo(PagingState state) {
        boolean keys = state.has4(ControlBits.CR4_PKE | ControlBits.CR4_PKS);
        return keys ? "shadow paging cannot give a guest protection keys; the guest has CR4.PKE or CR4.PKS set" : "";
    }

    @Override
    public ControlDemand controlDemand() {
        return DEMAND;
    }

    @Override
    public MmuContext newContext(MmuContextHost contextHost) {
        tree.contexts++;
        return new ShadowContext(this, contextHost, worker(contextHost.clock()));
    }

    /** A new context for a vCPU that runs a guest of its guest; of {@link #ofEpt} and {@link #ofNested} only. */
    public NestedContext newNestedContext(MmuContextHost contextHost) {
        tree.contexts++;
        return new Tables12Context(this, contextHost, worker(contextHost.clock()));
    }

    /**
     * A guest hypervisor is about to write {@code gfn}, which {@link TableProtection} keeps it from: if that holds leaf tables alone they go
     * unsync. Answers true if it may write now. KVM: mmu_try_to_unsync_pages.
     */
    public boolean letWrite(long gfn, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            return maker.writeAllowed(worker(clock), gfn, SpteMaker.MAY_UNSYNC);
        }
    }

    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            Worker w = worker(clock);
            long gfn = gpa >>> 12;
            List<ShadowPage> shadows = tree.pages.shadowing(gfn, clock);
            if (shadows.isEmpty()) {
                return;
            }
            counters.mmuPteWrite.increment();
            boolean flush = false;
            for (ShadowPage page : List.copyOf(shadows)) {
                if (misaligned(page, gpa, bytes) || flooded(page)) {
                    counters.mmuFlooded.increment();
                    tree.zap(w, page);
                } else if (zapDerived(w, page, (int) gpa & 0xfff)) {
                    flush = true;
                    if (page.level() > 1) {
                        counters.mmuPdeZapped.increment();
                    }
                }
            }
            tree.commit(clock, flush);
        }
    }

    /** Empties the sptes of {@code page} that are made from the guest entry at {@code offset}. Answers true if there was one. */
    private boolean zapDerived(Worker w, ShadowPage page, int offset) {
        boolean found = false;
        int first = page.sptesOf(offset);
        for (int i = first; first >= 0 && i < first + page.sptesPerGpte(); i++) {
            found |= tree.zapPte(w, page, i);
        }
        return found;
    }

    /**
     * Something no operating system does to an entry, such as 8 bytes over two entries of 4: the frame is a table no longer. KVM:
     * detect_write_misaligned.
     */
    private static boolean misaligned(ShadowPage page, long gpa, int bytes) {
        int offset = (int) gpa & 0xfff;
        int within = Role.format(page.role).entryBytes() - 1;
        if ((offset & within) == 0 && bytes == 1) {
            // The low byte alone: status bits set or cleared with a byte operation.
            return false;
        }
        return ((offset ^ offset + bytes - 1) & ~within) != 0 || bytes < 4;
    }

    /** Leaf tables are exempt: they go unsync instead. KVM: detect_write_flooding. */
    private boolean flooded(ShadowPage page) {
        return options.floodingDetection() && page.level() > 1 && ++page.writeFlooding >= FLOODING;
    }

    @Override
    public void writeProtect(long gfn, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            if (tree.writeProtect(worker(clock), gfn)) {
                host.flushRemoteTlbs(clock);
            }
        }
    }

    @Override
    public void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            Worker w = worker(clock);
            boolean flush = false;
            for (long f = gfn; f < gfn + frames; f++) {
                flush |= tree.unmap(w, f);
            }
            if (flush) {
                host.flushRemoteTlbs(clock);
            }
        }
    }

    /** Everything goes: slots change seldom. KVM: kvm_arch_flush_shadow_memslot. */
    @Override
    public void slotsChanged(long gfn, long frames, CycleClock clock) {
        zapAllFast(worker(clock));
        pageLimit = options.pageLimit(host.guestFrames());
    }

    /**
     * Every shadow page is obsolete on return, and gone, unless it is the root of a vCPU, which gives it up before it enters its guest
     * again. Not under the lock: others are served between batches. KVM: kvm_mmu_zap_all_fast.
     */
    private void zapAllFast(Worker w) {
        try (MmuLock.Held held = lock.exclusive()) {
            tree.obsoleteAll(w.clock);
            if (w.trace.on(TracePoint.KVM_MMU_ZAP_ALL_FAST)) {
                w.trace.tell(TracePoint.KVM_MMU_ZAP_ALL_FAST, tree.pages.generation(), tree.pages.active().size());
            }
        }
        boolean more = true;
        while (more) {
            try (MmuLock.Held held = lock.exclusive()) {
                more = tree.zapObsolete(w, ZAP_BATCH);
            }
        }
    }

    /**
     * MMIO sptes hold so many bits of the slots' generation. When it has wrapped around, one that is left could be taken for new: so all
     * go. Before any is made or used; not under the lock. KVM: kvm_mmu_invalidate_mmio_sptes.
     */
    void checkMmioEpoch(Worker w) {
        long epoch = (w.guest.generation() & ~GuestMemory.UPDATING) >>> MmioSptes.GENERATION_BITS;
        if (epoch != mmioEpoch) {
            zapAllFast(w);
            mmioEpoch = epoch;
        }
    }

    /** Levels of the tables that the processor is given for those of {@code of}. */
    int rootLevels(GuestRoot of) {
        return Math.max(of.format().levels(), leastLevels);
    }

    /** {@code roots} are those of a vCPU from now on. */
    void add(Roots roots) {
        try (MmuLock.Held held = lock.exclusive()) {
            vcpuRoots.add(roots);
        }
    }

    /** Every root of every vCPU, as often as it is one: for audits. */
    void forEachRoot(Consumer<ShadowPage> action) {
        vcpuRoots.forEach(roots -> roots.forEachPage(action));
    }

    /** The most shadow pages there are to be besides roots. */
    long pageLimit() {
        return pageLimit;
    }

    /** Gives up some of the large pages that were split to be executed, if it is time. Alone; the caller commits. */
    void recoverNxHugePages(Worker w) {
        for (ShadowPage page : tree.nx.toRecover(w.clock)) {
            if (host.dirtyLog().logs(page.gfn)) {
                // It would be mapped by 4 KiB again; the end of the log gives it up.
                tree.executedNoLonger(page);
            } else {
                tree.zap(w, page);
            }
        }
    }

    /** Sees to it that a fault finds places for the shadow pages it may need. Under the lock. KVM: make_mmu_pages_available. */
    void makePagesAvailable(Worker w) {
        int excess = PageLimit.excess(pageLimit, tree.pages.active().size());
        if (excess > 0) {
            tree.zapOldest(w, excess);
        }
    }

    /** Host memory was exhausted in the middle of a fault or of building a root: true if some is free now. KVM: mmu_shrink_scan. */
    boolean reclaim(Worker w) {
        try (MmuLock.Held held = lock.exclusive()) {
            tree.commit(w.clock, true);
            return options.reclaim() && tree.zapOldest(w, PageLimit.REFILL) > 0;
        }
    }

    @Override
    public boolean age(long gfn, long frames, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            boolean young = accessed(gfn, frames, true, clock);
            if (young) {
                host.flushRemoteTlbs(clock);
            }
            return young;
        }
    }

    @Override
    public boolean testAge(long gfn, long frames, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            return accessed(gfn, frames, false, clock);
        }
    }

    private boolean accessed(long gfn, long frames, boolean forget, CycleClock clock) {
        Worker w = worker(clock);
        boolean young = false;
        for (long f = gfn; f < gfn + frames; f++) {
            young |= tree.accessed(w, f, forget);
        }
        return young;
    }

    /** Writes are noticed by write protection; 2 MiB sptes go, since one write would make all of it dirty. */
    @Override
    public void startDirtyLog(CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            Worker w = worker(clock);
            for (ShadowPage page : tree.pages.all()) {
                for (int i = 0; i < ShadowPage.ENTRIES; i++) {
                    tree.arm(w, page, i);
                }
            }
        }
    }

    /**
     * What is protected for the log becomes writable with the next write. Pieces of large pages go where the next fault can map the whole.
     * KVM: kvm_rmap_zap_collapsible_sptes.
     */
    @Override
    public void stopDirtyLog(CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            Worker w = worker(clock);
            for (ShadowPage page : List.copyOf(tree.pages.active())) {
                if (page.direct() && page.level() == 1 && largeAllowed(w, page.gfn)) {
                    tree.zap(w, page);
                }
            }
            tree.commit(clock, true);
        }
    }

    /** True if the tables around, the log, tracking and the host let the 2 MiB around {@code gfn} be mapped whole. */
    boolean largeAllowed(Worker w, long gfn) {
        return !host.dirtyLog().logs(gfn) && !tree.largeDisallowed(gfn) && !host.writeTracking().anyTracked(gfn & -512L, 512)
                && w.guest.mappingLevel(gfn) >= 2;
    }

    @Override
    public void collectDirty(CycleClock clock) {
        // A frame is marked when it becomes writable: the sptes know nothing more.
    }

    @Override
    public void rearmDirty(long gfn, CycleClock clock) {
        try (MmuLock.Held held = lock.exclusive()) {
            tree.rearm(worker(clock), gfn);
        }
    }

    /** The shadow page for (gfn, role): found, brought in step if it was unsync, or made. KVM: kvm_mmu_get_shadow_page. */
    ShadowPage page(Worker w, long gfn, int role) {
        if (Role.level(role) > 1 && !Role.isDirect(role)) {
            // A leaf table that became an upper one has probably stopped being what its unsync shadow says.
            for (ShadowPage other : List.copyOf(tree.pages.shadowing(gfn, w.clock))) {
                if (other.unsync) {
                    tree.zap(w, other);
                }
            }
        }
        ShadowPage page = tree.pages.find(gfn, role, w.clock);
        if (page == null) {
            ShadowPage made = tree.create(w, gfn, role);
            w.tell(TracePoint.KVM_MMU_GET_PAGE, made, true);
            return made;
        }
        page.writeFlooding = 0;
        w.tell(TracePoint.KVM_MMU_GET_PAGE, page, false);
        if (page.unsync && sync.page(w, page)) {
            host.flushRemoteTlbs(w.clock);
        }
        return page;
    }

    @Override
    public void audit(CycleClock clock, Consumer<String> violations) {
        try (MmuLock.Held held = lock.exclusive()) {
            new ShadowAudit(this, new Worker(host, clock), violations).run();
        }
    }

    @Override
    public void close() {
        // Tables go with the lease; everything but the machine's counters is this object's own.
        counters.takeBack();
    }

    private synchronized Worker worker(CycleClock clock) {
        for (Worker w : workers) {
            if (w.clock == clock) {
                return w;
            }
        }
        Worker w = new Worker(host, clock);
        workers.add(w);
        return w;
    }
}
