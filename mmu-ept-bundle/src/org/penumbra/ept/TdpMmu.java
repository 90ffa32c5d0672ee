package org.penumbra.ept;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.mmu.NestedPaging;
import org.penumbra.api.mmu.PageAgeing;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.Gauge;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.NxHugePages;
import org.penumbra.kit.PageGauges;
import org.penumbra.kit.PageLimit;
import org.penumbra.kit.shadow.ShadowPaging;

/**
 * EPT or NPT for one virtual machine: one tree that all vCPUs share. The guest's own tables are its own business, so nothing is
 * intercepted. Faults are served in parallel and install entries by compare-and-set; what takes mappings away does so alone.
 */
final class TdpMmu implements Mmu, DirtyLogging, PageAgeing, NestedPaging {
    final TdpFormat format;
    final MmuHost host;
    private final TdpSettings settings;
    private final int levels;
    private final TdpDirty dirty;
    final MmuLock lock = new MmuLock(false);
    private final Gauge nxSplits;
    /** Of 2 MiB each, by their first gfn, that are not to be large because of a fetch. */
    private final NxHugePages<Long> nx;
    private final Counter fixed;
    private final Counter spurious;
    private final PageGauges mapped;
    private final TdpTables tables = new TdpTables();
    private final TdpReclaim reclaim;
    private final TdpDevices devices;
    private final TdpSplit splitting;
    /** Tables that no entry points at any more; faults that began before may still be in them. Freed when no fault is served. */
    private final Queue<Long> removed = new ConcurrentLinkedQueue<>();
    /** One for each clock that was charged; guarded by {@link #lock}. */
    private final List<TdpTree> trees = new ArrayList<>();
    private volatile TranslationRoot root;
    private long top;
    /** Null without sub-page write permissions, and before {@link #root}. */
    private SubPageTable subPages;
    /** For the guests of the guest. */
    private final Tables02 nested = new Tables02(this);

    TdpMmu(TdpFormat format, MmuHost host) {
        this.host = host;
        this.settings = TdpSettings.chosen(format, host);
        this.format = settings.modeBasedExecute() ? TdpFormat.EPT_BY_MODE : format;
        this.levels = settings.levels();
        this.dirty = new TdpDirty(this.format, host.dirtyLog(), settings);
        this.nxSplits = new Gauge(host.counters().counter("nx_lpage_splits"));
        this.nx = new NxHugePages<>(settings.nxHugePages(), settings.nxRecoveryPeriod(), nxSplits);
        this.fixed = host.counters().counter("pf_fixed");
        this.spurious = host.counters().counter("pf_spurious");
        this.mapped = new PageGauges(host.counters());
        this.splitting = new TdpSplit(this.format, host, mapped, tables);
        this.devices = new TdpDevices(this);
        this.reclaim = new TdpReclaim(this.format, host, tables, settings.accessedDirty());
    }

    /** The root of the tree, made for the first vCPU that asks. */
    TranslationRoot root(CycleClock clock) {
        return root != null ? root : makeRoot(clock);
    }

    private synchronized TranslationRoot makeRoot(CycleClock clock) {
        if (root == null) {
            top = host.lease().allocate(clock);
            subPages = settings.subPageWrites() ? new SubPageTable(host.lease(), clock) : null;
            root = format.root(top, levels, settings.accessedDirty(), subPages == null ? 0 : subPages.top);
        }
        return root;
    }

    @Override
    public ControlDemand controlDemand() {
        return ControlDemand.NONE;
    }

    @Override
    public MmuContext newContext(MmuContextHost contextHost) {
        return new TdpContext(this, contextHost);
    }

    /**
     * Maps {@code gfn}, if an entry does not do so already. Faults are served in parallel; whoever takes mappings away keeps them
     * out. KVM: kvm_tdp_mmu_map under mmu_lock held for read.
     *
     * @param write the access writes; a tracked frame is mapped read-only and its writes are emulated
     * @param fetch the access executes
     * @param execute the bits that the leaf needs for that, beside those that it has anyway
     * @return how the fault is resolved: retry, or emulate for a write to a frame whose writes must be seen
     */
    Resolution map(
            long gfn, long pfn, boolean write, boolean fetch, long execute, long sequence, MmuLock.Share share, Tracing.Tracer trace, FrameAccess entries, GuestMemory guest,
            CycleClock clock) {
        try (MmuLock.Held held = share.shared()) {
            if (guest.retry(sequence, gfn)) {
                return Resolution.RETRY;
            }
            boolean tracked = mustSee(gfn);
            if (fetch && nx.on() && goalLevel(gfn, guest) > 1) {
                nx.add(gfn & -512L);
            }
            if (install(gfn, pfn, write, fetch, execute, tracked, trace, entries, guest, clock) && write && !tracked) {
                dirty.noticed(gfn);
            }
            return tracked && write ? Resolution.EMULATE : Resolution.RETRY;
        }
    }

    /** True if writes to {@code gfn} must be seen. */
    boolean mustSee(long gfn) {
        return host.writeTracking().isTracked(gfn) || nested.isTable(gfn);
    }

    /** The sub-pages of {@code gfn} to which writes must be seen, bit i for the one of 128 i. */
    int mustSeeOf(long gfn) {
        return nested.isTable(gfn) ? -1 : host.writeTracking().trackedSubPages(gfn);
    }

    /** The same of any frame in the 2 MiB around {@code gfn}. */
    private boolean mustSeeAny(long gfn) {
        return host.writeTracking().anyTracked(gfn & -512L, 512) || nested.hasTable(gfn);
    }

    /**
     * A write to {@code gpa}, in a frame whose writes must be seen, may be made by the guest itself if nobody tracks that sub-page: true if it can be
     * repeated now. Not under the lock.
     */
    boolean permitSubPage(long gpa, GuestMemory guest, CycleClock clock) {
        long gfn = gpa >>> 12;
        if (subPages == null || !writableInPart(gpa, guest)) {
            return false;
        }
        boolean[] permitted = {false};
        alone(clock, tree -> {
            if (writableInPart(gpa, guest) && dirty.mayBeWritable(gfn, true)) {
                // The vector first: processors read it as soon as the leaf says so.
                subPages.change(gfn, permitting(gfn), tree.entries());
                permitted[0] = tree.permitSubPages(gfn);
            }
            if (permitted[0]) {
                dirty.noticed(gfn);
            }
        });
        return permitted[0];
    }

    /** The vector for {@code gfn} by which all that is not tracked is permitted. */
    private long permitting(long gfn) {
        return SubPageTable.permitting(host.writeTracking().trackedSubPages(gfn));
    }

    private boolean writableInPart(long gpa, GuestMemory guest) {
        long gfn = gpa >>> 12;
        return (mustSeeOf(gfn) >>> (gpa >>> 7 & 31) & 1) == 0 && guest.writable(gfn) && SubPageTable.reaches(gfn);
    }

    /** Fills in what the sub-page permission table still owes for {@code gfn}. Not under the lock. */
    void fillSubPages(long gfn, CycleClock clock) {
        alone(clock, tree -> subPages.fill(gfn, permitting(gfn), tree.entries(), clock));
    }

    /** The sub-pages that the processor lets the guest write where {@code leaf} maps {@code gfn}, bit 2i for the one of 128 i. */
    long permitted(long leaf, long gfn, FrameAccess entries) {
        return subPages == null || (leaf & TdpFormat.SUB_PAGES) == 0 ? 0 : subPages.vector(gfn, entries);
    }

    @Override
    public NestedContext newNestedContext(MmuContextHost contextHost) {
        return nested.newContext(contextHost);
    }

    /** Lets a guest hypervisor write a table of its guest's, if that can be brought in step later. Not under the lock. */
    void letWrite(long gfn, CycleClock clock) {
        nested.letWrite(gfn, clock);
    }

    /** Gives up what was split for fetches long ago, if it is time. Not under the lock. */
    void recoverNxHugePages(CycleClock clock) {
        if (!nx.due(clock)) {
            // Every fault asks: without a lock, at which faults of different vCPUs would meet.
            return;
        }
        List<Long> old = nx.toRecover(clock);
        old.forEach(nx::remove);
        if (!old.isEmpty()) {
            GuestMemory guest = host.guestMemory(clock);
            alone(clock, tree -> {
                tree.dropTables(gfn -> old.contains(gfn) && goalLevel(gfn, guest) > 1);
                host.flushRemoteTlbs(clock);
            });
        }
    }

    /** Sees to it that a fault finds places for the tables that it may need. Not under the lock. */
    void makeRoom(CycleClock clock) {
        int excess = settings.pageLimit() == 0 ? 0 : PageLimit.excess(settings.pageLimit(), tables.count());
        if (excess > 0) {
            alone(clock, tree -> reclaim.run(tree, dirty, excess));
        }
    }

    /** Host memory was exhausted in the middle of a fault: true if some is free now. Not under the lock. */
    boolean reclaimed(CycleClock clock) {
        boolean[] some = {false};
        alone(clock, tree -> some[0] = settings.reclaim() && reclaim.run(tree, dirty, PageLimit.REFILL));
        return some[0];
    }

    /** Gives tables back that no entry points at any more, if there are any. Not under the lock. */
    void freeRemoved(CycleClock clock) {
        if (!removed.isEmpty()) {
            alone(clock, tree -> {});
        }
    }

    /** Answers true if an entry is there now that permits the access, false if it may not or if somebody else changed it meanwhile. */
    private boolean install(
            long gfn, long pfn, boolean write, boolean fetch, long execute, boolean tracked, Tracing.Tracer trace, FrameAccess entries, GuestMemory guest,
            CycleClock clock) {
        boolean writable = !tracked && guest.writable(gfn) && dirty.mayBeWritable(gfn, write);
        int goal = goalLevel(gfn, guest);
        if (trace.on(TracePoint.KVM_MMU_SPTE_REQUESTED)) {
            trace.tell(TracePoint.KVM_MMU_SPTE_REQUESTED, gfn, pfn, goal, 0);
        }
        int level = levels;
        long at = topEntry(gfn);
        long entry = entries.load(at);
        while (level > goal && entry != TdpFormat.FROZEN && !(format.present(entry) && TdpFormat.leaf(entry, level))) {
            long table = format.present(entry) ? entry : extend(at, level - 1, gfn, entries, clock);
            level--;
            at = TdpFormat.address(table) + 8L * TdpFormat.index(gfn, level);
            entry = entries.load(at);
        }
        if (entry == TdpFormat.FROZEN) {
            return false;
        }
        if (level > goal && (write && writable && !TdpFormat.writable(entry) || fetch && !format.executable(entry))) {
            // A large leaf that the dirty log has write-protected, or that may not be executed.
            long table = splitting.split(at, entry, gfn & -512L, entries, trace, clock);
            if (table == 0) {
                return false;
            }
            level--;
            at = TdpFormat.address(table) + 8L * TdpFormat.index(gfn, level);
            entry = entries.load(at);
            if (fetch) {
                fixed.increment();
                return true;
            }
        }
        if (format.present(entry) && !TdpFormat.leaf(entry, level)) {
            boolean done = collapse(at, entry, format.page(pfn & -512L, level, writable, !nx.on()) | execute, entries, clock) && (!write || writable);
            if (done) {
                fixed.increment();
            }
            return done;
        }
        if (format.present(entry) && (execute & ~entry) != 0) {
            boolean given = entries.compareAndSet(at, entry, entry | execute);
            if (given) {
                fixed.increment();
            }
            return given;
        }
        if (format.present(entry) && (!write || TdpFormat.writable(entry))) {
            spurious.increment();
            return true;
        }
        if (format.present(entry) && !writable) {
            return false;
        }
        if (format.present(entry)) {
            dirty.gone(entry, gfn);
        }
        long within = (1L << 9 * (level - 1)) - 1;
        long leaf = format.page(pfn & ~within, level, writable, level == 1 || !nx.on()) | execute | format.executed(entry);
        if (!entries.compareAndSet(at, entry, leaf)) {
            return false;
        }
        if (!write || writable) {
            // Else it is emulated, which is counted as that.
            fixed.increment();
        }
        if (trace.on(TracePoint.KVM_MMU_SET_SPTE)) {
            trace.tell(TracePoint.KVM_MMU_SET_SPTE, gfn, entries.load(at), at, level);
        }
        if (!format.present(entry)) {
            mapped.add(level, 1);
        }
        return true;
    }

    /**
     * Puts {@code large} in the place of the table that the entry {@code table} at {@code at} points at. Both translate to the same
     * frames, so a processor may use either until it is flushed. Faults that are in the table already find its entries frozen. KVM:
     * handle_removed_pt.
     */
    private boolean collapse(long at, long table, long large, FrameAccess entries, CycleClock clock) {
        if (!entries.compareAndSet(at, table, large)) {
            return false;
        }
        host.flushRemoteTlbs(clock);
        for (int i = 0; i < 512; i++) {
            long child = TdpFormat.address(table) + 8L * i;
            long entry;
            do {
                entry = entries.load(child);
            } while (!entries.compareAndSet(child, entry, TdpFormat.FROZEN));
            mapped.add(1, format.present(entry) ? -1 : 0);
        }
        mapped.add(2, 1);
        removed.add(TdpFormat.address(table));
        tables.gone(1);
        return true;
    }

    /** KVM: kvm_mmu_max_mapping_level, with its disallow_lpage. */
    private int goalLevel(long gfn, GuestMemory guest) {
        if (!settings.largePages() || dirty.logs(gfn) || nx.on() && nx.contains(gfn & -512L) || mustSeeAny(gfn)) {
            return 1;
        }
        return Math.min(2, guest.mappingLevel(gfn));
    }

    /** Puts a new empty table of {@code level} for {@code gfn} where there is none; answers the entry that is there now, whoever made it. */
    long extend(long at, int level, long gfn, FrameAccess entries, CycleClock clock) {
        long table = format.table(host.lease().allocate(clock));
        if (entries.compareAndSet(at, 0, table)) {
            tables.made(level, gfn);
            return table;
        }
        host.lease().free(TdpFormat.address(table));
        return entries.load(at);
    }

    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        nested.each(mmu -> mmu.guestTableWritten(gpa, bytes, clock));
    }

    @Override
    public void writeProtect(long gfn, CycleClock clock) {
        protect(gfn, clock);
        nested.each(mmu -> mmu.writeProtect(gfn, clock));
    }

    @Override
    public void slotsChanged(long gfn, long frames, CycleClock clock) {
        hostRangeChanged(gfn, frames, clock);
        nested.each(mmu -> mmu.slotsChanged(gfn, frames, clock));
    }

    /** Takes the write right for {@code gfn} from the guest. */
    void protect(long gfn, CycleClock clock) {
        alone(clock, tree -> {
            tree.writeProtect(gfn);
            host.flushRemoteTlbs(clock);
        });
    }

    @Override
    public void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        alone(clock, tree -> {
            if (tree.zap(gfn, frames, dirty)) {
                host.flushRemoteTlbs(clock);
            }
        });
        nested.each(mmu -> mmu.hostRangeChanged(gfn, frames, clock));
    }

    @Override
    public boolean age(long gfn, long frames, CycleClock clock) {
        boolean[] young = {false};
        alone(clock, tree -> {
            young[0] = settings.accessedDirty() ? tree.age(gfn, frames) : tree.zap(gfn, frames, dirty);
            if (young[0]) {
                host.flushRemoteTlbs(clock);
            }
        });
        nested.each(mmu -> young[0] |= mmu.age(gfn, frames, clock));
        return young[0];
    }

    @Override
    public boolean testAge(long gfn, long frames, CycleClock clock) {
        boolean[] young = {false};
        alone(clock, tree -> young[0] = tree.accessed(gfn, frames, settings.accessedDirty() ? format.accessed : format.present));
        nested.each(mmu -> young[0] |= mmu.testAge(gfn, frames, clock));
        return young[0];
    }

    @Override
    public boolean usesModificationLog() {
        return dirty.byProcessor();
    }

    @Override
    public void startDirtyLog(CycleClock clock) {
        alone(clock, tree -> tree.armAll(dirty));
        nested.each(mmu -> mmu.startDirtyLog(clock));
    }

    /**
     * What is protected for the log becomes writable with the next write; tables of 4 KiB leaves go where one of 2 MiB may be made
     * again. KVM: kvm_tdp_mmu_zap_collapsible_sptes.
     */
    @Override
    public void stopDirtyLog(CycleClock clock) {
        GuestMemory guest = host.guestMemory(clock);
        alone(clock, tree -> tree.dropTables(gfn -> goalLevel(gfn, guest) > 1));
        nested.each(mmu -> mmu.stopDirtyLog(clock));
    }

    @Override
    public void collectDirty(CycleClock clock) {
        if (!dirty.byProcessor()) {
            alone(clock, tree -> tree.collectAll(dirty));
        }
    }

    @Override
    public void rearmDirty(long gfn, CycleClock clock) {
        alone(clock, tree -> tree.arm(gfn, dirty));
        nested.each(mmu -> mmu.rearmDirty(gfn, clock));
    }

    @Override
    public void audit(CycleClock clock, Consumer<String> violations) {
        alone(clock, tree -> new TdpAudit(this, clock, nx.on(), violations).tree(top, levels, tables.count()));
        nested.each(mmu -> mmu.audit(clock, violations));
    }

    /** Does {@code work} on the tree while no fault is served, if there is a tree. */
    private void alone(CycleClock clock, Consumer<TdpTree> work) {
        try (MmuLock.Held held = lock.exclusive()) {
            if (root != null) {
                TdpTree tree = tree(clock);
                for (Long table = removed.poll(); table != null; table = removed.poll()) {
                    host.lease().free(table);
                }
                work.accept(tree);
            }
        }
    }

    /** The handles to the tree that charge {@code clock}. */
    private TdpTree tree(CycleClock clock) {
        for (TdpTree tree : trees) {
            if (tree.clock == clock) {
                return tree;
            }
        }
        TdpTree tree = new TdpTree(format, top, levels, host.lease(), clock, host.tracer(clock), splitting, mapped, tables);
        trees.add(tree);
        return tree;
    }

    /** Where the entry of the top table for {@code gfn} is. */
    long topEntry(long gfn) {
        return top + 8L * TdpFormat.index(gfn, levels);
    }

    /** Entries for what no slot has. */
    TdpDevices devices() {
        return devices;
    }

    /** Levels of the tree. */
    int levels() {
        return levels;
    }

    /** True if leaves of 2 MiB are made. */
    boolean largePages() {
        return settings.largePages();
    }

    @Override
    public void close() {
        // The tree goes with the lease.
        mapped.takeBack();
        nxSplits.takeBack();
        nested.each(ShadowPaging::close);
    }
}
