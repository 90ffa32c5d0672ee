package org.penumbra.kit.shadow;

import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.MmuLock;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * What every context of shadow paging does, whatever tables it shadows: it keeps a root, and from a walk of the guest's tables to an address
 * (gva: with EPT tables a guest-physical one) it builds the same path of shadow pages, down to the leaf.
 */
abstract class FaultPath implements MmuContext {
    final ShadowPaging mmu;
    final MmuContextHost host;
    final Worker w;
    /** The walk of the fault that is being served. */
    final GuestWalker walker;
    final MmuLock.Share share;
    final Roots roots;
    private GuestRoot guestRoot;
    private boolean flush;
    /** The lock is held exclusively. */
    private boolean alone;
    /** What the walk read in the guest's tables is not there any more. */
    private boolean changed;

    FaultPath(ShadowPaging mmu, MmuContextHost host, Worker w) {
        this.mmu = mmu;
        this.host = host;
        this.w = w;
        this.walker = new GuestWalker(w.guest, mmu.host.physicalAddressBits(), w.trace);
        this.share = mmu.lock.newShare();
        this.roots = new Roots(mmu, w);
    }

    /** {@code wanted} is where the guest's tables begin from now on. Under the lock, alone. */
    final void select(GuestRoot wanted) {
        guestRoot = wanted;
        roots.select(wanted);
    }

    @Override
    public final TranslationRoot root() {
        TranslationRoot valid = roots.valid();
        if (valid != null) {
            return valid;
        }
        while (true) {
            try (MmuLock.Held held = mmu.lock.exclusive()) {
                return roots.current(guestRoot);
            } catch (LeaseException e) {
                if (!e.isExhausted() || !mmu.reclaim(w)) {
                    throw e;
                }
            }
        }
    }

    @Override
    public final Resolution resolve(MmuFault fault) {
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

    /** {@link #resolve}, but for what a lack of host memory asks for. */
    abstract Resolution served(MmuFault fault);

    /** Serves the fault of {@code access} to {@code gva}, which the walk allows, with {@code pfn} for {@code gfn}, found at {@code sequence}. */
    final Resolution fill(long gva, int access, long gfn, long pfn, long sequence) {
        alone = mmu.tree.nx.due(w.clock);
        if (!alone) {
            try (MmuLock.Held held = share.shared()) {
                Resolution resolution = map(gva, access, gfn, pfn, sequence);
                if (resolution != null) {
                    return resolution;
                }
            }
            alone = true;
        }
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            mmu.makePagesAvailable(w);
            mmu.recoverNxHugePages(w);
            return map(gva, access, gfn, pfn, sequence);
        }
    }

    /** Puts an MMIO spte for {@code gva}, whose walk has found {@code gfn}, which is no memory in {@code generation} of the slots. */
    final void fillMmio(long gva, long gfn, long sequence, long generation) {
        alone = true;
        try (MmuLock.Held held = mmu.lock.exclusive()) {
            if (!w.guest.retry(sequence, gfn)) {
                mmu.makePagesAvailable(w);
                flush = false;
                ShadowPage page = guestTables(gva);
                if (page != null) {
                    page = direct(page, gva, gfn, 1, false);
                    long spte = mmu.mmio.make(gfn, mmu.format.rightsBits(walker.rights), generation);
                    flush |= mmu.maker.mmio(w, page, Spte.index(gva, 1), gfn, walker.rights & ~Rights.EXEC, spte);
                }
                mmu.tree.commit(w.clock, flush);
            }
        }
    }

    /**
     * Builds the path to the leaf that the walk found, and the leaf; flushes what that took away. Not {@link #alone} it does so only if the
     * path is there and the leaf can be put in by compare-and-set. KVM: FNAME(fetch).
     *
     * @return null if it has to be done alone
     */
    private Resolution map(long gva, int access, long gfn, long pfn, long sequence) {
        if (w.guest.retry(sequence, gfn)) {
            return Resolution.RETRY;
        }
        if (Access.isWrite(access) && mmu.tree.writesMustBeSeen(gfn)) {
            mmu.counters.pfEmulate.increment();
            return Resolution.EMULATE;
        }
        flush = false;
        changed = false;
        ShadowPage table = guestTables(gva);
        Resolution resolution = table != null ? leaf(table, gva, access, gfn, pfn, sequence) : changed ? Resolution.RETRY : null;
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
                child = mmu.page(w, walker.tableGfn[below], Role.of(below, walker.tableRights[below], guestRoot.mode(), quadrant));
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
    private Resolution leaf(ShadowPage table, long gva, int access, long gfn, long pfn, long sequence) {
        int largest = goalLevel(gfn);
        boolean unexecutable = mmu.tree.nx.on() && largest > 1 && (Access.isFetch(access) || executedIn(table, gva));
        int goal = unexecutable ? 1 : largest;
        if (w.trace.on(TracePoint.KVM_MMU_SPTE_REQUESTED)) {
            w.trace.tell(TracePoint.KVM_MMU_SPTE_REQUESTED, gfn, pfn, goal, 0);
        }
        ShadowPage page = direct(table, gva, gfn, goal, unexecutable);
        if (page == null) {
            return null;
        }
        page.writeFlooding = 0;
        long within = (1L << 9 * (goal - 1)) - 1;
        int answer = mmu.maker.set(w, page, Spte.index(gva, goal), gfn & ~within, pfn & ~within, walker.rights,
                alone ? SpteMaker.MAY_UNSYNC : SpteMaker.SHARED, Access.isWrite(access));
        if (answer == SpteMaker.NOT_SHARED) {
            return null;
        }
        flush |= (answer & SpteMaker.FLUSH) != 0;
        if ((answer & SpteMaker.UNCHANGED) == 0) {
            mmu.prefetch.around(w, page, Spte.index(gva, goal), sequence);
        }
        if ((answer & SpteMaker.PROTECTED) != 0 && Access.isWrite(access)) {
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
            int role = Role.direct(below, walker.rights, guestRoot.mode());
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
            mmu.tree.executed(lowest);
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
    final ShadowPage child(ShadowPage page, long gva) {
        long spte = w.sptes.load(page.sptep(Spte.index(gva, page.level())));
        return mmu.format.present(spte) && !Spte.leaf(spte, page.level()) ? mmu.tree.pages.containing(Spte.address(spte)) : null;
    }

    /** The level of the leaf: as large as guest, host and the tables around allow. KVM: kvm_mmu_hugepage_adjust. */
    private int goalLevel(long gfn) {
        return mmu.options.largePages() && walker.level > 1 && mmu.largeAllowed(w, gfn) ? 2 : 1;
    }

    /** Brings the leaf sptes for {@code gva} in step, in the current and the previous roots. */
    final void syncPaths(long gva) {
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
}
