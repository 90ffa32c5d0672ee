package org.penumbra.ept;

import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.paging.TranslationRoot;

/**
 * EPT for one virtual machine: one tree that all vCPUs share. The guest's own tables are its own business, so nothing is
 * intercepted. Entries are installed by compare-and-set.
 */
final class EptMmu implements Mmu {
    private static final int LEVELS = 4;
    /** EPTP (SDM vol. 3, "Extended-Page-Table Pointer"): write-back, page-walk length 4. */
    private static final long EPTP = 6 | LEVELS - 1 << 3;
    private static final long EPTP_ACCESSED_DIRTY = 1 << 6;

    final MmuHost host;
    private final boolean accessedDirty;
    private final boolean largePages;
    private final Counter fixed;
    private final Counter spurious;
    private final Counter pages4k;
    private final Counter pages2m;
    private final Counter splits;
    private TranslationRoot.TwoDimensional root;
    private long top;

    EptMmu(MmuHost host) {
        this.host = host;
        this.accessedDirty = EptSettings.on(host, EptSettings.ACCESSED_DIRTY);
        this.largePages = EptSettings.on(host, EptSettings.LARGE_PAGES);
        this.fixed = host.counters().counter("pf_fixed");
        this.spurious = host.counters().counter("pf_spurious");
        this.pages4k = host.counters().counter("pages_4k");
        this.pages2m = host.counters().counter("pages_2m");
        this.splits = host.counters().counter("ept_splits");
    }

    /** The root of the tree, made for the first vCPU that asks. */
    synchronized TranslationRoot.TwoDimensional root(CycleClock clock) {
        if (root == null) {
            top = host.lease().allocate(clock);
            root = new TranslationRoot.TwoDimensional(top | EPTP | (accessedDirty ? EPTP_ACCESSED_DIRTY : 0));
        }
        return root;
    }

    @Override
    public ControlDemand controlDemand() {
        return ControlDemand.NONE;
    }

    @Override
    public MmuContext newContext(MmuContextHost contextHost) {
        return new EptContext(this, contextHost);
    }

    /**
     * Maps {@code gfn}, if an entry does not do so already.
     *
     * @param write the access writes; a tracked frame is mapped read-only and its writes are emulated
     * @return false if the access is a write to a frame whose writes must be seen
     */
    boolean map(long gfn, long pfn, boolean write, FrameAccess entries, GuestMemory guest, CycleClock clock) {
        boolean tracked = host.writeTracking().isTracked(gfn);
        int goal = tracked || !largePages ? 1 : Math.min(2, guest.mappingLevel(gfn));
        int level = LEVELS;
        long at = top + 8L * EptEntry.index(gfn, LEVELS);
        long entry = entries.load(at);
        // A table that a split left at the goal level stays: what it maps may be protected piece by piece.
        while (EptEntry.present(entry) ? !EptEntry.leaf(entry, level) : level > goal) {
            long table = EptEntry.present(entry) ? entry : extend(at, entries, clock);
            level--;
            at = EptEntry.address(table) + 8L * EptEntry.index(gfn, level);
            entry = entries.load(at);
        }
        if (EptEntry.present(entry) && (!write || EptEntry.writable(entry))) {
            spurious.increment();
            return true;
        }
        if (EptEntry.present(entry) && tracked) {
            return false;
        }
        long within = (1L << 9 * (level - 1)) - 1;
        if (entries.compareAndSet(at, entry, EptEntry.page(pfn & ~within, level, !tracked))) {
            fixed.increment();
            (level == 1 ? pages4k : pages2m).increment();
        }
        return !(tracked && write);
    }

    /** Puts a new empty table where there is none; answers the entry that is there now, whoever made it. */
    private long extend(long at, FrameAccess entries, CycleClock clock) {
        long table = EptEntry.table(host.lease().allocate(clock));
        if (entries.compareAndSet(at, 0, table)) {
            return table;
        }
        host.lease().free(EptEntry.address(table));
        return entries.load(at);
    }

    /** Replaces the 2 MiB leaf {@code large} by a table that maps the same; answers the new entry. */
    private long split(long at, long large, FrameAccess entries, CycleClock clock) {
        splits.increment();
        pages2m.add(-1);
        pages4k.add(512);
        long table = host.lease().allocate(clock);
        for (int i = 0; i < 512; i++) {
            entries.store(table + 8L * i, EptEntry.piece(large, i));
        }
        // Only the accessed and dirty flags, which nothing reads yet, can be lost to a walker here.
        entries.store(at, EptEntry.table(table));
        return EptEntry.table(table);
    }

    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        // Nothing here is derived from guest tables.
    }

    @Override
    public synchronized void writeProtect(long gfn, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        long at = EptEntry.address(root(clock).eptp()) + 8L * EptEntry.index(gfn, LEVELS);
        for (int level = LEVELS; level > 1; level--) {
            long entry = entries.load(at);
            if (!EptEntry.present(entry)) {
                return;
            }
            if (EptEntry.leaf(entry, level)) {
                entry = split(at, entry, entries, clock);
            }
            at = EptEntry.address(entry) + 8L * EptEntry.index(gfn, level - 1);
        }
        long entry = entries.load(at);
        if (EptEntry.writable(entry)) {
            entries.store(at, entry & ~EptEntry.WRITE);
        }
        host.flushRemoteTlbs(clock);
    }

    @Override
    public synchronized void audit(CycleClock clock, Consumer<String> violations) {
        if (root != null) {
            new EptAudit(host, clock, violations).table(top, LEVELS, 0);
        }
    }

    @Override
    public void close() {
        // The tree goes with the lease.
    }
}
