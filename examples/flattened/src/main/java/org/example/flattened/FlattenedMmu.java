package org.example.flattened;

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
import org.penumbra.api.paging.TranslationRoot;

/**
 * The MMU of one machine: a flattened table that its vCPUs share, filled when the processor asks for what is not there. Writes for
 * the dirty log are noticed by write protection.
 */
final class FlattenedMmu implements Mmu, DirtyLogging {
    private final MmuHost host;
    private final FlatTree tree;
    private final Counter taken;
    private final Counter fixed;
    private final Counter spurious;
    private final Counter emulated;

    FlattenedMmu(MmuHost host) {
        this.host = host;
        this.tree = new FlatTree(host.lease());
        this.taken = host.counters().counter("pf_taken");
        this.fixed = host.counters().counter("pf_fixed");
        this.spurious = host.counters().counter("pf_spurious");
        this.emulated = host.counters().counter("pf_emulate");
    }

    MmuHost host() {
        return host;
    }

    synchronized TranslationRoot root(CycleClock clock) {
        return tree.root(clock);
    }

    /** The guest's paging is its own business: the processor walks its tables by itself. */
    @Override
    public ControlDemand controlDemand() {
        return ControlDemand.NONE;
    }

    @Override
    public MmuContext newContext(MmuContextHost contextHost) {
        return new FlattenedContext(this, contextHost);
    }

    /** The processor found nothing for {@code gfn}, or not the right that it needs. */
    Resolution fault(long gfn, boolean write, GuestMemory guest, CycleClock clock) {
        taken.increment();
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
            boolean tracked = host.writeTracking().isTracked(gfn);
            boolean writable = guest.writable(gfn) && !tracked && (write || !host.dirtyLog().logs(gfn));
            long there = tree.leaf(gfn, clock);
            boolean enough = FlatTree.present(there) && (!write || FlatTree.writable(there));
            if (!enough) {
                tree.map(gfn, pfn, writable, clock);
            }
            if (tracked && write) {
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

    /** Nothing here is derived from the guest's tables. */
    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {}

    @Override
    public synchronized void writeProtect(long gfn, CycleClock clock) {
        tree.protect(gfn, clock);
        host.flushRemoteTlbs(clock);
    }

    @Override
    public synchronized void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        for (long g = gfn; g < gfn + frames; g++) {
            tree.unmap(g, clock);
        }
        host.flushRemoteTlbs(clock);
    }

    /** The caller flushes. */
    @Override
    public synchronized void startDirtyLog(CycleClock clock) {
        tree.leaves(clock, (gfn, entry) -> {
            if (host.dirtyLog().logs(gfn)) {
                tree.protect(gfn, clock);
            }
        });
    }

    /** What is still protected becomes writable with the next write to it. */
    @Override
    public void stopDirtyLog(CycleClock clock) {}

    /** Each write was marked when it faulted. */
    @Override
    public void collectDirty(CycleClock clock) {}

    @Override
    public synchronized void rearmDirty(long gfn, CycleClock clock) {
        tree.protect(gfn, clock);
    }

    @Override
    public synchronized void audit(CycleClock clock, Consumer<String> violations) {
        GuestMemory guest = host.guestMemory(clock);
        tree.leaves(clock, (gfn, entry) -> {
            if (FlatTree.pfn(entry) != guest.current(gfn)) {
                violations.accept(String.format("gfn 0x%x is mapped to 0x%x, the host has 0x%x", gfn, FlatTree.pfn(entry), guest.current(gfn)));
            }
            if (FlatTree.writable(entry) && (!guest.writable(gfn) || host.writeTracking().isTracked(gfn))) {
                violations.accept(String.format("gfn 0x%x is writable, and is tracked, shared or read-only", gfn));
            }
        });
    }

    /** The tree goes with the lease. */
    @Override
    public void close() {}
}
