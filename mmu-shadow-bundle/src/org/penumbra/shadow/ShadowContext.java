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
        this.walker = new GuestWalker(mmu.format, w.guest, mmu.host.physicalAddressBits());
        this.emulation = new GuestWalker(mmu.format, w.guest, mmu.host.physicalAddressBits());
        this.roots = new Roots(mmu, w);
        this.largePages = ShadowSettings.on(mmu.host, ShadowSettings.LARGE_PAGES);
    }

    @Override
    public void load(PagingState newState, boolean keepPcid) {
        requireSupported(newState);
        boolean sameMode = state != null && sameMode(state, newState);
        state = newState;
        mode = newState.hasEfer(ControlBits.EFER_NXE) ? Role.EFER_NX : 0;
        synchronized (mmu) {
            if (!sameMode) {
                roots.staleAll();
            } else if (!keepPcid) {
                roots.stale(newState.pcid());
            }
            roots.select(newState, mode);
        }
        if (!keepPcid) {
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
                roots.forEach(root -> syncPath(root, fault.gva));
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
        ShadowPage page = roots.page();
        if (page == null || page.invalid || walker.changed(page.level(), gva)) {
            return null;
        }
        while (page.level() > walker.level) {
            int below = page.level() - 1;
            page.writeFlooding = 0;
            ShadowPage child = child(page, gva);
            boolean found = child != null;
            if (!found) {
                child = mmu.page(w, walker.tableGfn[below], Role.of(below, false, walker.tableRights[below], mode));
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
            int role = Role.of(below, true, walker.rights, mode);
            ShadowPage child = child(page, fault.gva);
            if (child == null || child.role != role) {
                child = mmu.page(w, gfn & -(1L << 9 * below), role);
                link(page, fault.gva, child);
            }
            page = child;
        }
        page.writeFlooding = 0;
        long within = (1L << 9 * (goal - 1)) - 1;
        int answer = mmu.maker.set(w, page, mmu.format.index(fault.gva, goal), gfn & ~within, pfn & ~within, walker.rights, true,
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
        int index = mmu.format.index(gva, page.level());
        flush |= mmu.tree.zapPte(w, page, index);
        mmu.tree.link(w, page, index, child);
    }

    /** The shadow page that {@code page} points to for {@code gva}, null if there is none or a large leaf. */
    private ShadowPage child(ShadowPage page, long gva) {
        long spte = w.sptes.load(page.sptep(mmu.format.index(gva, page.level())));
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
            roots.forEach(root -> syncPath(root, gva));
        }
        host.flushPage(gva);
    }

    /** Brings the leaf spte for {@code gva} below {@code root} in step. KVM: __kvm_mmu_invalidate_addr. */
    private void syncPath(ShadowPage root, long gva) {
        ShadowPage page = root;
        while (page != null && (page.unsync || page.unsyncChildren > 0)) {
            if (page.unsync && mmu.sync.spte(w, page, mmu.format.index(gva, 1))) {
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
