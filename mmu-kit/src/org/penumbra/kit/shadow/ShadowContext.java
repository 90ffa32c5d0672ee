package org.penumbra.kit.shadow;

import java.util.List;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.LoadableRoots;
import org.penumbra.api.mmu.MmuContext;
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
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * One vCPU under shadow paging: its roots, its faults, its invalidations.
 *
 * <p>One class although it is long: whichever way a fault takes (guest's own, device, fast, shared, alone), it works on the same walk, lock
 * and flags of this fault.
 */
final class ShadowContext implements MmuContext, LoadableRoots, PrivilegeRoots {
    private final ShadowPaging mmu;
    private final MmuContextHost host;
    private final Worker w;
    private final GuestWalker walker;
    private final GuestWalker emulation;
    private final MmuLock.Share share;
    private final Roots roots;
    private final boolean largePages;
    private final MmioCache mmioCache = new MmioCache();
    private PagingState state;
    private int mode;
    /** Of a de-privileged guest: whose root is the current one. */
    private boolean kernel = true;
    private boolean flush;
    /** The lock is held exclusively. */
    private boolean alone;
    /** What the walk read in the guest's tables is not there any more. */
    private boolean changed;

    ShadowContext(ShadowPaging mmu, MmuContextHost host, Worker w) {
        this.mmu = mmu;
        this.host = host;
        this.w = w;
        this.walker = new GuestWalker(w.guest, mmu.host.physicalAddressBits());
        this.emulation = new GuestWalker(w.guest, mmu.host.physicalAddressBits());
        this.share = mmu.lock.newShare();
        this.roots = new Roots(mmu, w);
        this.largePages = mmu.options.largePages();
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
            roots.select(newState, mode);
        }
        if (!keepPcid || !sameMode) {
            host.flushAll();
        }
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
            roots.select(state, mode);
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
    public TranslationRoot root() {
        TranslationRoot valid = roots.valid();
        if (valid != null) {
            return valid;
        }
        while (true) {
            try (MmuLock.Held held = mmu.lock.exclusive()) {
                return roots.current(state, mode);
            } catch (LeaseException e) {
                if (!e.isExhausted() || !mmu.reclaim(w)) {
                    throw e;
                }
            }
        }
    }

    @Override
    public List<Loadable> loadableRoots() {
        if (!mmu.options.cr3Targets() || mmu.options.deprivileged()) {
            return List.of();
        }
        try (MmuLock.Held held = share.shared()) {
            return roots.loadable(state, mode);
        }
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        mmu.counters.pfTaken.increment();
        try {
            return served(fault);
        } catch (LeaseException e) {
            if (!e.isExhausted() || !mmu.reclaim(w)) {
                throw e;
            }
            return Resolution.RETRY;
        }
    }

    private Resolution served(MmuFault fault) {
        if ((fault.errorCode & PageFaultError.RESERVED) != 0 && knownMmio(fault)) {
            return Resolution.MMIO;
        }
        if (Access.isWrite(fault.access) && writtenFast(fault)) {
            return Resolution.RETRY;
        }
        if (w.trace.on(TracePoint.KVM_MMU_PAGETABLE_WALK)) {
            w.trace.tell(TracePoint.KVM_MMU_PAGETABLE_WALK, fault.gva, fault.errorCode);
        }
        if (!walker.walk(state, fault.gva, fault.access)) {
            if (w.trace.on(TracePoint.KVM_MMU_WALKER_ERROR)) {
                w.trace.tell(TracePoint.KVM_MMU_WALKER_ERROR, walker.errorCode, 0);
            }
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
        alone = mmu.tree.nx.due(w.clock);
        if (!alone) {
            try (MmuLock.Held held = share.shared()) {
                Resolution resolution = map(fault, gfn, pfn, sequence);
                if (resolution != null) {
                    return resolution;
                }
            }
            alone = true;
        }
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            mmu.makePagesAvailable(w);
            mmu.recoverNxHugePages(w);
            return map(fault, gfn, pfn, sequence);
        }
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
                w.trace.tell(TracePoint.FAST_PAGE_FAULT, fault.gva, spte, spte | Spte.WRITABLE | mmu.format.dirty, 0);
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
                w.trace.tell(TracePoint.CHECK_MMIO_SPTE, spte, generation, current ? 1 : 0, 0);
            }
            if (!current) {
                return false;
            }
            gfn = mmu.mmio.gfn(spte);
            rights = mmu.format.rights(mmu.mmio.rights(spte));
        }
        if (!allows(rights, fault.access, state)) {
            return false;
        }
        mmu.counters.handleMmioPageFault.increment();
        if (w.trace.on(TracePoint.HANDLE_MMIO_PAGE_FAULT)) {
            w.trace.tell(TracePoint.HANDLE_MMIO_PAGE_FAULT, fault.gva, gfn);
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
        alone = true;
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (!w.guest.retry(sequence, gfn)) {
                mmu.makePagesAvailable(w);
                flush = false;
                ShadowPage page = guestTables(fault.gva);
                if (page != null) {
                    page = direct(page, fault.gva, gfn, 1, false);
                    long spte = mmu.mmio.make(gfn, mmu.format.rightsBits(walker.rights), generation);
                    flush |= mmu.maker.mmio(w, page, Spte.index(fault.gva, 1), gfn, spte);
                }
                mmu.tree.commit(w.clock, flush);
            }
        }
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

    /**
     * Builds the path to the leaf that the walk found, and the leaf; flushes what that took away. Not {@link #alone} it does so only if the
     * path is there and the leaf can be put in by compare-and-set. KVM: FNAME(fetch).
     *
     * @return null if it has to be done alone
     */
    private Resolution map(MmuFault fault, long gfn, long pfn, long sequence) {
        if (w.guest.retry(sequence, gfn)) {
            return Resolution.RETRY;
        }
        if (Access.isWrite(fault.access) && mmu.tree.writesMustBeSeen(gfn)) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        flush = false;
        changed = false;
        ShadowPage table = guestTables(fault.gva);
        Resolution resolution = table != null ? leaf(table, fault, gfn, pfn, sequence) : changed ? Resolution.RETRY : null;
        if (alone) {
            mmu.tree.commit(w.clock, flush);
        }
        return resolution;
    }

    /**
     * Shadows of the guest tables that the walk went through, linked down to the one that holds the leaf gpte; null if the
     * guest's tables, or the root, are not what they were at the walk any more, and then {@link #changed} is set, or if one is missing
     * and cannot be made now.
     */
    private ShadowPage guestTables(long gva) {
        ShadowPage page = roots.page(gva);
        changed = page == null || page.invalid || mmu.tree.pages.obsolete(page) || walker.changed(page.level(), gva);
        while (!changed && page.level() > walker.level) {
            int below = page.level() - 1;
            page.writeFlooding = 0;
            ShadowPage child = child(page, gva);
            boolean found = child != null;
            if (!found && !alone) {
                return null;
            }
            if (!found) {
                // Of a 4 MiB range each half has a shadow page of its own. KVM: kvm_mmu_child_role.
                int quadrant = walker.format.entryBytes() == 4 ? Spte.index(gva, page.level()) & 1 : 0;
                child = mmu.page(w, walker.tableGfn[below], Role.of(below, walker.tableRights[below], mode, quadrant));
                if (child.unsyncChildren > 0) {
                    // The guest need not flush when an entry becomes present, so what appears below must be in step.
                    mmu.sync.subtree(w, child);
                }
            }
            // The table is write-protected now, or unsync; what the walk read in it may have changed before.
            changed = walker.changed(below, gva);
            if (!changed && !found) {
                link(page, gva, child);
            }
            page = child;
        }
        return changed ? null : page;
    }

    /** Direct pages below {@code page} as far as a large guest page has to be split, and the leaf. */
    private Resolution leaf(ShadowPage table, MmuFault fault, long gfn, long pfn, long sequence) {
        int largest = goalLevel(gfn);
        boolean unexecutable = mmu.tree.nx.on() && largest > 1 && (Access.isFetch(fault.access) || executedIn(table, fault.gva));
        int goal = unexecutable ? 1 : largest;
        ShadowPage page = direct(table, fault.gva, gfn, goal, unexecutable);
        if (page == null) {
            return null;
        }
        page.writeFlooding = 0;
        long within = (1L << 9 * (goal - 1)) - 1;
        int answer = mmu.maker.set(w, page, Spte.index(fault.gva, goal), gfn & ~within, pfn & ~within, walker.rights,
                alone ? SpteMaker.MAY_UNSYNC : SpteMaker.SHARED, Access.isWrite(fault.access));
        if (answer == SpteMaker.NOT_SHARED) {
            return null;
        }
        flush |= (answer & SpteMaker.FLUSH) != 0;
        if ((answer & SpteMaker.UNCHANGED) == 0) {
            mmu.prefetch.around(w, page, Spte.index(fault.gva, goal), sequence);
        }
        if ((answer & SpteMaker.PROTECTED) != 0 && Access.isWrite(fault.access)) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        ((answer & SpteMaker.UNCHANGED) != 0 ? mmu.counters.pfSpurious : mmu.counters.pfFixed).increment();
        return Resolution.RETRY;
    }

    /** Direct pages below {@code page} down to the one of level {@code goal}, which is the answer; null if one cannot be made now. */
    private ShadowPage direct(ShadowPage page, long gva, long gfn, int goal, boolean unexecutable) {
        ShadowPage lowest = page;
        while (lowest.level() > goal) {
            int below = lowest.level() - 1;
            int role = Role.direct(below, walker.rights, mode);
            ShadowPage child = child(lowest, gva);
            if (child == null || child.role != role) {
                if (!alone) {
                    return null;
                }
                child = mmu.page(w, gfn & -(1L << 9 * below), role);
                link(lowest, gva, child);
            }
            lowest = child;
        }
        if (unexecutable && !lowest.nxHugePageDisallowed) {
            if (!alone) {
                return null;
            }
            mmu.tree.nx.account(lowest);
        }
        return lowest;
    }

    /** True if the large page at {@code gva} was split because it is executed: then it stays so. KVM: disallowed_hugepage_adjust. */
    private boolean executedIn(ShadowPage table, long gva) {
        ShadowPage page = table;
        while (page != null && page.level() > 1) {
            page = child(page, gva);
        }
        return page != null && page.nxHugePageDisallowed;
    }

    /** Puts {@code child} in place of whatever {@code page} has for {@code gva}. */
    private void link(ShadowPage page, long gva, ShadowPage child) {
        int index = Spte.index(gva, page.level());
        flush |= mmu.tree.zapPte(w, page, index);
        mmu.tree.link(w, page, index, child);
    }

    /** The shadow page that {@code page} points to for {@code gva}, null if there is none or a large leaf. */
    private ShadowPage child(ShadowPage page, long gva) {
        long spte = w.sptes.load(page.sptep(Spte.index(gva, page.level())));
        return mmu.format.present(spte) && !Spte.leaf(spte, page.level()) ? mmu.tree.pages.containing(Spte.address(spte)) : null;
    }

    /** The level of the leaf: as large as guest, host and the tables around allow. KVM: kvm_mmu_hugepage_adjust. */
    private int goalLevel(long gfn) {
        return largePages && walker.level > 1 && mmu.largeAllowed(w, gfn) ? 2 : 1;
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

    /** Brings the leaf sptes for {@code gva} in step, in the current and the previous roots. */
    private void syncPaths(long gva) {
        changed = false;
        try (MmuLock.Held held = share.shared()) {
            roots.forEach(gva, top -> changed |= top.unsync || top.unsyncChildren > 0);
        }
        if (changed) {
            try (MmuLock.Held held = mmu.lock.exclusive()) {
                roots.forEach(gva, top -> syncPath(top, gva));
            }
        }
    }

    /** Brings the leaf spte for {@code gva} below {@code top} in step. KVM: __kvm_mmu_invalidate_addr. */
    private void syncPath(ShadowPage top, long gva) {
        ShadowPage page = top;
        while (page != null && (page.unsync || page.unsyncChildren > 0)) {
            if (page.unsync) {
                if (mmu.sync.spte(w, page, Spte.index(gva, 1))) {
                    mmu.host.flushRemoteTlbs(w.clock);
                }
                mmu.prefetch.invalidated(w, page, Spte.index(gva, 1));
            }
            page = page.level() == 1 ? null : child(page, gva);
        }
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
