package org.penumbra.kit.shadow;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.kit.GfnCounts;
import org.penumbra.kit.NxHugePages;
import org.penumbra.kit.PteList;
import org.penumbra.kit.ReverseMap;
import org.penumbra.kit.ShadowPage;
import org.penumbra.kit.ShadowPageCache;

/**
 * The shadow pages of one virtual machine and the links between them: finding, linking, unlinking, zapping, write protection.
 * What must hold between calls is what {@link ShadowAudit} checks. Every method runs under the MMU's lock; methods that answer
 * "flush" leave it to the caller to flush before the lock is given up.
 */
final class ShadowTree {
    private static final int FRAMES_OF_2M_BITS = 9;

    final ShadowPageCache pages;
    final ReverseMap rmap = new ReverseMap();
    final NxHugePages<ShadowPage> nx;
    final SpteFormat format;
    private final TableProtection protection;
    private final MmuHost host;
    private final ShadowCounters counters;
    /** Frames that hold tables above the leaf level: never writable, whatever else. */
    final GfnCounts upperTables = new GfnCounts();
    /** Per 2 MiB of guest memory, the shadowed tables in it: while there are any it is mapped by 4 KiB. */
    final GfnCounts largeDisallowed = new GfnCounts();
    /** Zapped pages whose tables may still be in some TLB or paging-structure cache. */
    private final Set<ShadowPage> zapped = new LinkedHashSet<>();
    /** A root was zapped: the vCPUs that use it have to leave the guest and ask for another. KVM: kvm_reload_remote_mmus. */
    private boolean rootZapped;
    /** A root leads to an unsync page now: no guest may load it by itself any more. */
    private boolean rootUnsynced;
    private final boolean cr3Targets;
    /** vCPUs with roots; what one does outside the guest another in it must not miss. */
    int contexts;

    ShadowTree(MmuHost host, ShadowOptions options, SpteFormat format, TableProtection protection, ShadowCounters counters) {
        this.host = host;
        this.format = format;
        this.protection = protection;
        this.cr3Targets = options.cr3Targets();
        this.counters = counters;
        this.pages = new ShadowPageCache(host.lease(), counters.maxMmuPageHashCollisions);
        this.nx = new NxHugePages<>(options.nxHugePages(), options.nxRecoveryPeriod(), counters.nxLpageSplits);
    }

    /** A new shadow page; the table it shadows is write-protected before anything is read from it. KVM: account_shadowed. */
    ShadowPage create(Worker w, long gfn, int role) {
        counters.mmuCacheMiss.increment();
        ShadowPage page = pages.create(gfn, role, w.clock);
        if (!page.direct()) {
            largeDisallowed.add(gfn >>> FRAMES_OF_2M_BITS, 1);
            if (page.level() > 1) {
                upperTables.add(gfn, 1);
            }
            if (protect(w, page)) {
                host.flushRemoteTlbs(w.clock);
            }
        }
        return page;
    }

    /** {@code page} is in step from now on: nobody may write its table unnoticed. Answers flush. */
    boolean protect(Worker w, ShadowPage page) {
        if (page.unsync) {
            synced(page);
        }
        protection.protect(page.gfn, w.clock);
        return writeProtect(w, page.gfn);
    }

    /** The guest may write the table of {@code page} without an exit from now on; the pages above know. KVM: kvm_unsync_page. */
    void unsync(Worker w, ShadowPage page) {
        w.tell(TracePoint.KVM_MMU_UNSYNC_PAGE, page, false);
        page.unsync = true;
        protection.release(page.gfn);
        counters.mmuUnsyncPage.increment();
        counters.mmuUnsync.add(1);
        markParentsUnsync(page);
    }

    /** The unsync {@code page} is so no longer. KVM: kvm_unlink_unsync_page. */
    private void synced(ShadowPage page) {
        page.unsync = false;
        counters.mmuUnsync.add(-1);
    }

    /** True if no large spte may map the 2 MiB around {@code gfn}. */
    boolean largeDisallowed(long gfn) {
        return largeDisallowed.get(gfn >>> FRAMES_OF_2M_BITS) > 0;
    }

    /** True if {@code gfn} holds a table above the leaf level, or somebody else tracks its writes. */
    boolean writesMustBeSeen(long gfn) {
        return upperTables.get(gfn) > 0 || host.writeTracking().isTracked(gfn);
    }

    /** Takes the write right from every spte that maps {@code gfn}. Answers flush. KVM: kvm_mmu_slot_gfn_write_protect. */
    boolean writeProtect(Worker w, long gfn) {
        boolean flush = false;
        for (int level = 1; level <= 2; level++) {
            PteList sptes = rmap.of(gfn, level, w.clock);
            for (int i = 0; i < sptes.size(); i++) {
                long spte = w.sptes.load(sptes.get(i));
                if ((spte & (Spte.WRITABLE | Spte.MAY_WRITE)) != 0) {
                    w.sptes.store(sptes.get(i), spte & ~(Spte.WRITABLE | Spte.MAY_WRITE | format.dirty));
                    flush |= Spte.writable(spte);
                }
            }
        }
        return flush;
    }

    /** Has the next write to {@code gfn} fault, for the dirty log: it is given back without more ado. */
    void rearm(Worker w, long gfn) {
        for (int level = 1; level <= 2; level++) {
            PteList sptes = rmap.of(gfn, level, w.clock);
            for (int i = 0; i < sptes.size(); i++) {
                disarm(w, sptes.get(i), w.sptes.load(sptes.get(i)));
            }
        }
    }

    private void disarm(Worker w, long sptep, long spte) {
        if (Spte.writable(spte)) {
            w.sptes.store(sptep, spte & ~(Spte.WRITABLE | format.dirty));
        }
    }

    /** Drops every spte that maps {@code gfn}, 2 MiB ones whole. Answers flush. KVM: kvm_zap_rmap. */
    boolean unmap(Worker w, long gfn) {
        boolean flush = false;
        for (int level = 1; level <= 2; level++) {
            PteList sptes = rmap.of(gfn, level, w.clock);
            for (int i = sptes.size() - 1; i >= 0; i--) {
                long sptep = sptes.get(i);
                flush |= zapPte(w, pages.containing(sptep), indexOf(sptep));
            }
        }
        return flush;
    }

    /** True if a processor used an spte that maps {@code gfn}; its flag is taken away if {@code forget}. KVM: kvm_age_rmap. */
    boolean accessed(Worker w, long gfn, boolean forget) {
        boolean young = false;
        for (int level = 1; level <= 2; level++) {
            PteList sptes = rmap.of(gfn, level, w.clock);
            for (int i = 0; i < sptes.size(); i++) {
                long sptep = sptes.get(i);
                long spte = w.sptes.load(sptep);
                young |= (spte & format.accessed) != 0;
                while (forget && (spte & format.accessed) != 0 && !w.sptes.compareAndSet(sptep, spte, spte & ~format.accessed)) {
                    spte = w.sptes.load(sptep);
                }
            }
        }
        return young;
    }

    /** If spte {@code index} of {@code page} is a leaf: takes its write right, or the whole spte if it is a large one. */
    void arm(Worker w, ShadowPage page, int index) {
        long sptep = page.sptep(index);
        long spte = w.sptes.load(sptep);
        if (!format.present(spte) || !Spte.leaf(spte, page.level())) {
            return;
        }
        if (page.level() > 1) {
            zapPte(w, page, index);
        } else {
            disarm(w, sptep, spte);
        }
    }

    /** Points the empty spte {@code index} of {@code parent} at {@code child}. KVM: link_shadow_page. */
    void link(Worker w, ShadowPage parent, int index, ShadowPage child) {
        w.sptes.store(parent.sptep(index), format.table(child.spt));
        child.parents.add(parent.sptep(index));
        if (child.unsync || child.unsyncChildren > 0) {
            markUnsync(parent, index);
        }
    }

    /** Tells every page above {@code page} that there is an unsync page below. KVM: kvm_mmu_mark_parents_unsync. */
    private void markParentsUnsync(ShadowPage page) {
        for (int i = 0; i < page.parents.size(); i++) {
            long sptep = page.parents.get(i);
            markUnsync(pages.containing(sptep), indexOf(sptep));
        }
    }

    private void markUnsync(ShadowPage parent, int index) {
        boolean first = parent.unsyncChildren == 0;
        if (parent.markUnsyncChild(index) && first) {
            rootUnsynced |= parent.rootCount > 0;
            markParentsUnsync(parent);
        }
    }

    /** Empties spte {@code index} of {@code page} and undoes its links. Answers true if there was one. KVM: mmu_page_zap_pte. */
    boolean zapPte(Worker w, ShadowPage page, int index) {
        long sptep = page.sptep(index);
        long spte = w.sptes.load(sptep);
        if (!format.present(spte)) {
            if (spte != 0) {
                // An MMIO spte, which no TLB has.
                w.sptes.store(sptep, 0);
            }
            return false;
        }
        w.sptes.store(sptep, 0);
        if (Spte.leaf(spte, page.level())) {
            counters.mapped.add(page.level(), -1);
            if (!rmap.remove(page.mappedGfn(index), page.level(), sptep, w.clock)) {
                throw new IllegalStateException(String.format("no rmap entry for spte 0x%x of gfn 0x%x", sptep, page.mappedGfn(index)));
            }
        } else {
            pages.containing(Spte.address(spte)).parents.remove(sptep);
            page.clearUnsyncChild(index);
        }
        return true;
    }

    /**
     * Zaps {@code page} and the unsync pages below it: unfindable, unlinked from above and below. Its table is freed by the next
     * {@link #commit}; that of a root when no vCPU uses it any more. KVM: kvm_mmu_prepare_zap_page.
     */
    void zap(Worker w, ShadowPage page) {
        if (page.invalid || zapped.contains(page)) {
            return;
        }
        counters.mmuShadowZapped.increment();
        w.tell(TracePoint.KVM_MMU_PREPARE_ZAP_PAGE, page, false);
        zapUnsyncChildren(w, page);
        for (int i = 0; i < ShadowPage.ENTRIES; i++) {
            zapPte(w, page, i);
        }
        for (int i = page.parents.size() - 1; i >= 0; i--) {
            long sptep = page.parents.get(i);
            zapPte(w, pages.containing(sptep), indexOf(sptep));
        }
        if (page.unsync) {
            synced(page);
        } else if (!page.direct()) {
            protection.release(page.gfn);
        }
        pages.unlist(page);
        executedNoLonger(page);
        if (!page.direct()) {
            largeDisallowed.add(page.gfn >>> FRAMES_OF_2M_BITS, -1);
            if (page.level() > 1) {
                upperTables.add(page.gfn, -1);
            }
        }
        if (page.rootCount > 0) {
            page.invalid = true;
            rootZapped = true;
        } else {
            zapped.add(page);
        }
    }

    /** {@code page} stands in the place of a large page that is executed. */
    void executed(ShadowPage page) {
        page.nxHugePageDisallowed |= nx.add(page);
    }

    /** {@code page} does so no longer. */
    void executedNoLonger(ShadowPage page) {
        page.nxHugePageDisallowed &= !nx.remove(page);
    }

    /** Zaps up to {@code count} of the oldest pages that are no roots, and what is unsync below them; flushes, and frees. KVM: kvm_mmu_zap_oldest_mmu_pages. */
    int zapOldest(Worker w, int count) {
        List<ShadowPage> oldest = pages.active().stream().filter(p -> p.rootCount == 0).limit(count).toList();
        oldest.forEach(page -> zap(w, page));
        counters.mmuRecycled.add(zapped.size());
        int freed = zapped.size();
        commit(w.clock, false);
        return freed;
    }

    /** Zaps up to {@code count} obsolete pages, flushes, and frees; answers true if there are more. KVM: kvm_zap_obsolete_pages. */
    boolean zapObsolete(Worker w, int count) {
        List<ShadowPage> some = pages.active().stream().takeWhile(pages::obsolete).limit(count).toList();
        some.forEach(page -> zap(w, page));
        commit(w.clock, false);
        return some.size() == count;
    }

    /** From now on every page there is is obsolete; vCPUs leave the guest and ask for another root. KVM: kvm_mmu_zap_all_fast. */
    void obsoleteAll(CycleClock clock) {
        pages.obsoleteAll();
        host.flushRemoteTlbs(clock);
    }

    private void zapUnsyncChildren(Worker w, ShadowPage page) {
        for (int i = 0; i < ShadowPage.ENTRIES && page.unsyncChildren > 0; i++) {
            if (page.isUnsyncChild(i)) {
                ShadowPage child = pages.containing(Spte.address(w.sptes.load(page.sptep(i))));
                if (child.unsync) {
                    zap(w, child);
                } else {
                    zapUnsyncChildren(w, child);
                }
                page.clearUnsyncChild(i);
            }
        }
    }

    /** Flushes if anything was zapped, or if {@code flush}, and only then frees the tables. KVM: kvm_mmu_commit_zap_page. */
    void commit(CycleClock clock, boolean flush) {
        boolean loadable = cr3Targets && rootUnsynced && contexts > 1;
        rootUnsynced = false;
        if (flush || loadable || rootZapped || !zapped.isEmpty()) {
            rootZapped = false;
            host.flushRemoteTlbs(clock);
        }
        for (ShadowPage page : zapped) {
            pages.free(page);
        }
        zapped.clear();
    }

    /** One root reference less; an invalid page goes with its last. */
    void putRoot(ShadowPage root) {
        if (--root.rootCount == 0 && root.invalid) {
            zapped.add(root);
        }
    }

    static int indexOf(long sptep) {
        return (int) (sptep >>> 3) & ShadowPage.ENTRIES - 1;
    }
}
