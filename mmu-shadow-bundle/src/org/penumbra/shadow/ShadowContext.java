package org.penumbra.shadow;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.mmu.UnsupportedPagingException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** One vCPU under shadow paging: its roots, its faults, its invalidations. */
final class ShadowContext implements MmuContext {
    private final ShadowMmu mmu;
    private final MmuContextHost host;
    private final Worker w;
    private final GuestWalker walker;
    private final GuestWalker emulation;
    private final Roots roots;
    private final boolean largePages;
    private PagingState state;
    private int mode;
    private boolean flush;

    ShadowContext(ShadowMmu mmu, MmuContextHost host, Worker w) {
        this.mmu = mmu;
        this.host = host;
        this.w = w;
        this.walker = new GuestWalker(w.guest, mmu.host.physicalAddressBits());
        this.emulation = new GuestWalker(w.guest, mmu.host.physicalAddressBits());
        this.roots = new Roots(mmu, w);
        this.largePages = ShadowSettings.on(mmu.host, ShadowSettings.LARGE_PAGES);
    }

    @Override
    public void load(PagingState newState, boolean keepPcid) {
        requireSupported(newState);
        boolean sameMode = state != null && sameMode(state, newState);
        state = newState;
        mode = Role.mode(newState);
        synchronized (mmu) {
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

    /** True if the registers that this design owns differ in CR3 alone. */
    private boolean sameMode(PagingState a, PagingState b) {
        ControlDemand owned = mmu.controlDemand();
        return ((a.cr0() ^ b.cr0()) & owned.ownedCr0()) == 0 && ((a.cr4() ^ b.cr4()) & owned.ownedCr4()) == 0 && a.efer() == b.efer();
    }

    private static void requireSupported(PagingState s) {
        String objection = ShadowMmuFactory.objectionTo(s);
        if (!objection.isEmpty()) {
            throw new UnsupportedPagingException(objection);
        }
    }

    @Override
    public TranslationRoot root() {
        synchronized (mmu) {
            return roots.current(state, mode);
        }
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        mmu.counters.pfTaken.increment();
        if (!walker.walk(state, fault.gva, fault.access)) {
            fault.errorCode = walker.errorCode;
            mmu.counters.pfGuest.increment();
            synchronized (mmu) {
                // KVM does so for faults with P = 1; the architecture drops stale translations on every page fault.
                roots.forEach(fault.gva, top -> syncPath(top, fault.gva));
            }
            return Resolution.INJECT;
        }
        long gfn = walker.gfn;
        fault.gpa = gfn << 12 | fault.gva & 0xfff;
        // Not under the lock: the host may have to break the sharing of a page, which comes back as a host event.
        long sequence = w.guest.sequence();
        long pfn = w.guest.pfn(gfn, Access.isWrite(fault.access));
        if (pfn == GuestMemory.NO_SLOT) {
            return Resolution.MMIO;
        }
        if (Access.isWrite(fault.access) && (walker.rights & Rights.WRITE) == 0 && !grantSupervisorWrite()) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        synchronized (mmu) {
            if (w.guest.retry(sequence, gfn)) {
                return Resolution.RETRY;
            }
            if (Access.isWrite(fault.access) && mmu.tree.writesMustBeSeen(gfn)) {
                mmu.counters.pfEmulate.increment();
                return Resolution.EMULATE;
            }
            return map(fault, gfn, pfn);
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

    /** Builds the path to the leaf that the walk found, and the leaf; flushes what that took away. KVM: FNAME(fetch). */
    private Resolution map(MmuFault fault, long gfn, long pfn) {
        flush = false;
        ShadowPage table = guestTables(fault.gva);
        Resolution resolution = table == null ? Resolution.RETRY : leaf(table, fault, gfn, pfn);
        mmu.tree.commit(w.clock, flush);
        return resolution;
    }

    /**
     * Shadows of the guest tables that the walk went through, linked down to the one that holds the leaf gpte; null if the
     * guest's tables, or the root, are not what they were at the walk any more.
     */
    private ShadowPage guestTables(long gva) {
        ShadowPage page = roots.page(gva);
        if (page == null || page.invalid || walker.changed(page.level(), gva)) {
            return null;
        }
        while (page.level() > walker.level) {
            int below = page.level() - 1;
            page.writeFlooding = 0;
            ShadowPage child = child(page, gva);
            boolean found = child != null;
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
            if (walker.changed(below, gva)) {
                return null;
            }
            if (!found) {
                link(page, gva, child);
            }
            page = child;
        }
        return page;
    }

    /** Direct pages below {@code page} as far as a large guest page has to be split, and the leaf. */
    private Resolution leaf(ShadowPage page, MmuFault fault, long gfn, long pfn) {
        int goal = goalLevel(gfn);
        while (page.level() > goal) {
            int below = page.level() - 1;
            int role = Role.direct(below, walker.rights);
            ShadowPage child = child(page, fault.gva);
            if (child == null || child.role != role) {
                child = mmu.page(w, gfn & -(1L << 9 * below), role);
                link(page, fault.gva, child);
            }
            page = child;
        }
        page.writeFlooding = 0;
        long within = (1L << 9 * (goal - 1)) - 1;
        int answer = mmu.maker.set(w, page, Spte.index(fault.gva, goal), gfn & ~within, pfn & ~within, walker.rights, true,
                Access.isWrite(fault.access));
        flush |= (answer & SpteMaker.FLUSH) != 0;
        if ((answer & SpteMaker.PROTECTED) != 0 && Access.isWrite(fault.access)) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        ((answer & SpteMaker.UNCHANGED) != 0 ? mmu.counters.pfSpurious : mmu.counters.pfFixed).increment();
        return Resolution.RETRY;
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
        return Spte.present(spte) && !Spte.leaf(spte, page.level()) ? mmu.tree.pages.containing(Spte.address(spte)) : null;
    }

    /** The level of the leaf: as large as guest, host and the tables around allow. KVM: kvm_mmu_hugepage_adjust. */
    private int goalLevel(long gfn) {
        if (!largePages || walker.level == 1 || mmu.host.dirtyLog().logs(gfn) || mmu.tree.largeDisallowed(gfn)) {
            return 1;
        }
        if (mmu.host.writeTracking().anyTracked(gfn & -512L, 512)) {
            return 1;
        }
        return Math.min(2, w.guest.mappingLevel(gfn));
    }

    @Override
    public void invalidatePage(long gva) {
        synchronized (mmu) {
            roots.forEach(gva, top -> syncPath(top, gva));
        }
        host.flushPage(gva);
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        if (type == 0) {
            // KVM does it for the roots of the PCID alone; dropping more is allowed.
            invalidatePage(gva);
            return;
        }
        synchronized (mmu) {
            if (type == 1) {
                roots.stale(pcid);
            } else {
                roots.staleAll();
            }
            roots.freshen();
        }
        host.flushAll();
    }

    /** Brings the leaf spte for {@code gva} below {@code top} in step. KVM: __kvm_mmu_invalidate_addr. */
    private void syncPath(ShadowPage top, long gva) {
        ShadowPage page = top;
        while (page != null && (page.unsync || page.unsyncChildren > 0)) {
            if (page.unsync && mmu.sync.spte(w, page, Spte.index(gva, 1))) {
                mmu.host.flushRemoteTlbs(w.clock);
            }
            page = page.level() == 1 ? null : child(page, gva);
        }
    }

    @Override
    public long gvaToGpa(PagingState now, long gva, int access, MmuFault fault) {
        if (!emulation.walk(now, gva, access)) {
            fault.gva = gva;
            fault.errorCode = emulation.errorCode;
            return FAULT;
        }
        return emulation.gfn << 12 | gva & 0xfff;
    }
}
