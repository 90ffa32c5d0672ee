package org.penumbra.kit.shadow;

import java.util.List;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.LoadableRoots;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.PrivilegeRoots;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.mmu.UnsupportedPagingException;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** One vCPU under shadow paging: its page faults, whichever way they take (guest's own, device, fast), and its invalidations. */
final class ShadowContext extends FaultPath implements LoadableRoots, PrivilegeRoots {
    private final GuestWalker emulation;
    private final MmioCache mmioCache = new MmioCache();
    private PagingState state;
    private int mode;
    /** Of a de-privileged guest: whose root is the current one. */
    private boolean kernel = true;

    ShadowContext(ShadowPaging mmu, MmuContextHost host, Worker w) {
        super(mmu, host, w);
        this.emulation = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace);
    }

    @Override
    public void load(PagingState newState, boolean keepPcid) {
        requireSupported(newState);
        boolean sameMode = state != null && sameMode(state, newState);
        state = newState;
        mode = currentMode();
        mmioCache.forgetAll();
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (!sameMode) {
                roots.staleAll();
            } else if (!keepPcid) {
                roots.stale(newState.pcid());
            }
            select(guestRoot());
        }
        if (!keepPcid || !sameMode) {
            host.flushAll();
        }
    }

    private GuestRoot guestRoot() {
        return GuestRoot.of(state, mode, mmu.options.deprivileged());
    }

    private int currentMode() {
        return mmu.options.deprivileged() && kernel ? Role.kernelMode(state) : Role.mode(state);
    }

    @Override
    public void selectPrivilege(boolean nowKernel) {
        kernel = nowKernel;
        if (currentMode() == mode) {
            return;
        }
        mode = currentMode();
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            select(guestRoot());
        }
        // Both roots have one PCID: what the other has left in the TLB would be reachable.
        host.flushAll();
    }

    /** True if the registers that this design owns differ in CR3 alone. */
    private boolean sameMode(PagingState a, PagingState b) {
        ControlDemand owned = mmu.controlDemand();
        return ((a.cr0() ^ b.cr0()) & owned.ownedCr0()) == 0 && ((a.cr4() ^ b.cr4()) & owned.ownedCr4()) == 0 && a.efer() == b.efer();
    }

    private static void requireSupported(PagingState s) {
        String objection = ShadowPaging.objectionTo(s);
        if (!objection.isEmpty()) {
            throw new UnsupportedPagingException(objection);
        }
    }

    @Override
    public List<Loadable> loadableRoots() {
        if (!mmu.options.cr3Targets() || mmu.options.deprivileged()) {
            return List.of();
        }
        try (MmuLock.Held held = share.shared()) {
            return roots.loadable(guestRoot());
        }
    }

    @Override
    Resolution served(MmuFault fault) {
        if ((fault.errorCode & PageFaultError.RESERVED) != 0 && knownMmio(fault)) {
            return Resolution.MMIO;
        }
        if (Access.isWrite(fault.access) && writtenFast(fault)) {
            return Resolution.RETRY;
        }
        if (!walker.walk(state, fault.gva, fault.access)) {
            fault.errorCode = walker.errorCode;
            mmu.counters.pfGuest.increment();
            mmioCache.forget(fault.gva);
            // KVM does so for faults with P = 1; the architecture drops stale translations on every page fault.
            syncPaths(fault.gva);
            return Resolution.INJECT;
        }
        long gfn = walker.gfn;
        fault.gpa = gfn << 12 | fault.gva & 0xfff;
        // Not under the lock: the host may have to break the sharing of a page, which comes back as a host event.
        long sequence = w.guest.sequence();
        long pfn = w.guest.pfn(gfn, Access.isWrite(fault.access));
        if (pfn == GuestMemory.NO_SLOT) {
            noSlot(fault, gfn, sequence);
            return Resolution.MMIO;
        }
        if (Access.isWrite(fault.access) && (walker.rights & Rights.WRITE) == 0 && !grantSupervisorWrite()) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        if (Role.keptBySmap(mode, walker.rights)) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        return fill(fault.gva, fault.access, gfn, pfn, sequence);
    }

    /**
     * True if {@code fault} is a write that was only withheld for the dirty log, and is given now by one compare-and-set. Only in direct
     * shadow pages, where the place says which gfn it is: of an indirect page the gpte may say another one by now, or forbid the write,
     * or want its D set, so that takes the walk. Nor at a large page while there is a log, since one mark would stand for 512 frames. KVM:
     * fast_page_fault, which is for direct MMUs only; fast_pf_fix_direct_spte.
     */
    private boolean writtenFast(MmuFault fault) {
        if (GuestFormat.of(state) != GuestFormat.NONE) {
            return false;
        }
        try (MmuLock.Held held = share.shared()) {
            ShadowPage page = roots.page(fault.gva);
            ShadowPage below = page;
            while (below != null && below.level() > 1) {
                page = below;
                below = child(page, fault.gva);
            }
            page = below == null ? page : below;
            if (page == null || page.invalid) {
                return false;
            }
            int index = Spte.index(fault.gva, page.level());
            long spte = w.sptes.load(page.sptep(index));
            long gfn = page.mappedGfn(index);
            boolean fixable = mmu.format.present(spte) && (spte & Spte.MAY_WRITE) != 0 && !Spte.writable(spte)
                    && (page.level() == 1 || !mmu.host.dirtyLog().logs(gfn));
            if (!fixable || !w.sptes.compareAndSet(page.sptep(index), spte, spte | Spte.WRITABLE | mmu.format.dirty)) {
                return false;
            }
            mmu.host.dirtyLog().mark(gfn);
            mmu.counters.pfFast.increment();
            if (w.trace.on(TracePoint.FAST_PAGE_FAULT)) {
                w.trace.tell(TracePoint.FAST_PAGE_FAULT, fault.gva, fault.errorCode, page.sptep(index), spte, spte | Spte.WRITABLE | mmu.format.dirty, 0);
            }
            return true;
        }
    }

    /**
     * True if {@code fault} is an access to a device, known from the vCPU's cache or from an MMIO spte that is still good and allows it;
     * {@code fault.gpa} is set then. Anything else takes the long way. KVM: handle_mmio_page_fault.
     */
    private boolean knownMmio(MmuFault fault) {
        long generation = w.guest.generation();
        long gfn = mmioCache.gfn(fault.gva, generation);
        int rights = mmioCache.rights();
        if (gfn < 0) {
            mmu.checkMmioEpoch(w);
            long spte = mmioSpte(fault.gva);
            boolean current = spte != 0 && mmu.mmio.current(spte, generation);
            if (spte != 0 && w.trace.on(TracePoint.CHECK_MMIO_SPTE)) {
                w.trace.tell(TracePoint.CHECK_MMIO_SPTE, generation, mmu.mmio.generation(spte), spte, 0);
            }
            if (!current) {
                return false;
            }
            gfn = mmu.mmio.gfn(spte);
            rights = mmu.format.rights(mmu.mmio.rights(spte)) & ~Rights.EXEC;
        }
        if (!allows(rights, fault.access, state)) {
            return false;
        }
        mmu.counters.handleMmioPageFault.increment();
        if (w.trace.on(TracePoint.HANDLE_MMIO_PAGE_FAULT)) {
            w.trace.tell(TracePoint.HANDLE_MMIO_PAGE_FAULT, fault.gva, gfn, rights, 0);
        }
        mmioCache.remember(fault.gva, gfn, rights, generation);
        fault.gpa = gfn << 12 | fault.gva & 0xfff;
        return true;
    }

    /** True if {@code rights} of a device page allow {@code access}, and no flag in the guest's tables is to be set for it. */
    private static boolean allows(int rights, int access, PagingState state) {
        return Rights.allow(rights, access, state) && (!Access.isWrite(access) || (rights & Rights.WRITE) != 0);
    }

    /** The MMIO spte for {@code gva}, or 0. KVM: get_mmio_spte. */
    private long mmioSpte(long gva) {
        try (MmuLock.Held held = share.shared()) {
            ShadowPage page = roots.page(gva);
            while (page != null && page.level() > 1) {
                page = child(page, gva);
            }
            long spte = page == null ? 0 : w.sptes.load(page.sptep(Spte.index(gva, 1)));
            return mmu.mmio != null && mmu.mmio.is(spte) ? spte : 0;
        }
    }

    /** No slot has {@code gfn}: remembers so, for the emulation that follows and in an MMIO spte. KVM: kvm_handle_noslot_fault. */
    private void noSlot(MmuFault fault, long gfn, long sequence) {
        long generation = w.guest.generation();
        boolean device = w.guest.mappingLevel(gfn) == 0 && (generation & GuestMemory.UPDATING) == 0;
        if (!device) {
            // A read-only slot is memory when it is read.
            return;
        }
        mmioCache.remember(fault.gva, gfn, walker.rights & ~Rights.EXEC, generation);
        if (mmu.mmio == null) {
            return;
        }
        mmu.checkMmioEpoch(w);
        fillMmio(fault.gva, gfn, sequence, generation);
    }

    /**
     * A supervisor write that only CR0.WP = 0 allows: CR0.WP is really 1, so the spte has to say that the page is writable, and then
     * no user may reach it. It becomes a supervisor page, which under SMEP must not become executable; the next user access, or
     * fetch, turns it back (mmu.rst, "Emulating cr0.wp").
     *
     * @return false if no spte can say it: under SMAP the next write may come without EFLAGS.AC, and is refused then, but a processor
     *     asks for AC at user pages only
     */
    private boolean grantSupervisorWrite() {
        if ((walker.rights & Rights.USER) != 0) {
            if (state.has4(ControlBits.CR4_SMAP)) {
                return false;
            }
            walker.rights &= state.has4(ControlBits.CR4_SMEP) ? ~(Rights.USER | Rights.EXEC) : ~Rights.USER;
        }
        walker.rights |= Rights.WRITE;
        return true;
    }

    @Override
    public void invalidatePage(long gva) {
        mmioCache.forget(gva);
        syncPaths(gva);
        host.flushPage(gva);
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        if (type == 0) {
            // KVM does it for the roots of the PCID alone; dropping more is allowed.
            invalidatePage(gva);
            return;
        }
        mmioCache.forgetAll();
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (type == 1) {
                roots.stale(pcid);
            } else {
                roots.staleAll();
            }
            roots.freshen();
        }
        host.flushAll();
    }

    @Override
    public long gvaToGpa(PagingState now, long gva, int access, MmuFault fault) {
        // KVM: vcpu_mmio_gva_to_gpa
        long device = mmioCache.gfn(gva, w.guest.generation());
        if (device >= 0 && allows(mmioCache.rights(), access, now)) {
            return device << 12 | gva & 0xfff;
        }
        if (!emulation.walk(now, gva, access)) {
            fault.gva = gva;
            fault.errorCode = emulation.errorCode;
            return FAULT;
        }
        return emulation.gfn << 12 | gva & 0xfff;
    }
}
