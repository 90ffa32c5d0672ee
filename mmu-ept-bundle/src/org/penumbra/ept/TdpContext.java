package org.penumbra.ept;

import java.util.function.Function;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;

/** One vCPU under EPT or NPT: its violations or nested page faults, and the software walk for emulation. */
final class TdpContext implements MmuContext {
    private final TdpMmu mmu;
    private final MmuContextHost host;
    private final FrameAccess entries;
    private final GuestMemory guest;
    private final MmuLock.Share share;
    private final Tracing.Tracer trace;
    private final GuestWalker walker;
    private final Counter taken;
    private final Counter emulated;
    private final Counter mmioFaults;
    private final Counter subPages;
    private final Function<MmuFault, Resolution> serve = this::served;
    private final Function<MmuFault, Resolution> fill = this::filled;

    TdpContext(TdpMmu mmu, MmuContextHost host) {
        this.mmu = mmu;
        this.host = host;
        this.share = mmu.lock.newShare();
        this.trace = mmu.host.tracer(host.clock());
        this.entries = mmu.host.lease().access(host.clock());
        this.guest = mmu.host.guestMemory(host.clock());
        this.walker = new GuestWalker(guest, mmu.host.physicalAddressBits(), trace);
        this.taken = mmu.host.counters().counter("pf_taken");
        this.emulated = mmu.host.counters().counter("pf_emulate");
        this.subPages = mmu.host.counters().counter("ept_sub_pages_permitted");
        this.mmioFaults = mmu.host.counters().counter("handle_mmio_page_fault");
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        // The root does not depend on the guest's paging state; the processor flushes by itself on a load that does not exit.
        if (!keepPcid) {
            host.flushAll();
        }
    }

    @Override
    public TranslationRoot root() {
        return mmu.root(host.clock());
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        taken.increment();
        mmu.makeRoom(host.clock());
        return withMemory(fault, serve);
    }

    /** {@code work}; where host memory has no frame left for it tables are given up, and the guest repeats the access. */
    private Resolution withMemory(MmuFault fault, Function<MmuFault, Resolution> work) {
        try {
            return work.apply(fault);
        } catch (LeaseException e) {
            if (!e.isExhausted() || !mmu.reclaimed(host.clock())) {
                throw e;
            }
            return Resolution.RETRY;
        }
    }

    private Resolution served(MmuFault fault) {
        long gfn = fault.gpa >>> 12;
        boolean write = mmu.format.writes(fault.qualification);
        boolean fetch = mmu.format.fetches(fault.qualification);
        long execute = fetch ? mmu.format.executeFor(fault.qualification) : 0;
        mmu.recoverNxHugePages(host.clock());
        long generation = guest.generation();
        long sequence = guest.sequence();
        long pfn = guest.pfn(gfn, write);
        if (pfn == GuestMemory.NO_SLOT) {
            mmu.devices().mark(gfn, generation, share, entries, host.clock());
            return Resolution.MMIO;
        }
        if (write) {
            mmu.letWrite(gfn, host.clock());
        }
        Resolution resolution = mmu.map(gfn, pfn, write, fetch, execute, sequence, share, trace, entries, guest, host.clock());
        mmu.freeRemoved(host.clock());
        if (resolution == Resolution.EMULATE && mmu.format.reachesPage(fault.qualification) && mmu.permitSubPage(fault.gpa, guest, host.clock())) {
            subPages.increment();
            return Resolution.RETRY;
        }
        if (resolution == Resolution.EMULATE) {
            emulated.increment();
        }
        return resolution;
    }

    /** An entry that was made for a device, or under slots of before, which is a mapping like any that is still owed. */
    @Override
    public Resolution misconfigured(MmuFault fault) {
        if (mmu.devices().marked(fault.gpa >>> 12, guest.generation(), share, entries)) {
            mmioFaults.increment();
            return Resolution.MMIO;
        }
        return resolve(fault);
    }

    @Override
    public Resolution subPageMissing(MmuFault fault) {
        return withMemory(fault, fill);
    }

    private Resolution filled(MmuFault fault) {
        mmu.fillSubPages(fault.gpa >>> 12, host.clock());
        return Resolution.RETRY;
    }

    @Override
    public void invalidatePage(long gva) {
        host.flushPage(gva);
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        // INVPCID does not exit here; whoever asks gets more than the guest wanted.
        host.flushAll();
    }

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        if (!walker.walk(state, gva, access)) {
            fault.gva = gva;
            fault.errorCode = walker.errorCode;
            return FAULT;
        }
        return walker.gfn << 12 | gva & 0xfff;
    }
}
