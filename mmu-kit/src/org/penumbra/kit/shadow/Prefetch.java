package org.penumbra.kit.shadow;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * Makes leaf sptes that no access has asked for yet, where that needs nothing but what is there: the guest has accessed the page before,
 * the host has its frame, nobody logs writes to it. A guess that is wrong costs time, never a right. Under the MMU's lock, shared or not.
 */
final class Prefetch {
    /** KVM: PTE_PREFETCH_NUM. */
    private static final int GROUP = 8;

    private final MmuHost host;
    private final ShadowSync sync;
    private final SpteMaker maker;
    private final boolean neighbours;
    private final boolean invalidated;

    Prefetch(MmuHost host, ShadowOptions options, ShadowSync sync, SpteMaker maker) {
        this.host = host;
        this.sync = sync;
        this.maker = maker;
        this.neighbours = options.prefetch();
        this.invalidated = options.invlpgPrefetch();
    }

    /**
     * A fault has filled spte {@code index} of {@code page}: fills the empty ones of the same eight, up to the first that cannot be. KVM:
     * FNAME(pte_prefetch), __direct_pte_prefetch.
     *
     * @param sequence of host events, from before the fault's frame was looked up
     */
    void around(Worker w, ShadowPage page, int index, long sequence) {
        if (!neighbours || page.level() > 1) {
            return;
        }
        int first = index & -GROUP;
        for (int i = first; i < first + GROUP; i++) {
            if (w.sptes.load(page.sptep(i)) == 0 && !one(w, page, i, sequence)) {
                return;
            }
        }
    }

    /** The guest has invalidated the address of spte {@code index} of the unsync {@code page}. KVM before Linux 6.4: FNAME(invlpg). */
    void invalidated(Worker w, ShadowPage page, int index) {
        if (invalidated && w.sptes.load(page.sptep(index)) == 0) {
            one(w, page, index, w.guest.sequence());
        }
    }

    /** Fills the empty spte {@code index} of the level-1 {@code page}; false if it cannot be. KVM: FNAME(prefetch_gpte). */
    private boolean one(Worker w, ShadowPage page, int index, long sequence) {
        long gfn = page.mappedGfn(index);
        int rights = Role.rights(page.role);
        if (!page.direct()) {
            long gpte = w.gpte(page, index);
            gfn = Role.format(page.role).gfn(gpte);
            rights = sync.leafRights(page, gpte);
        }
        if (rights == ShadowSync.NOT_MAPPED || (rights & Rights.WRITE) != 0 && host.dirtyLog().logs(gfn)) {
            return false;
        }
        long pfn = w.guest.current(gfn);
        if (pfn == GuestMemory.NO_SLOT || w.guest.retry(sequence, gfn)) {
            return false;
        }
        return maker.set(w, page, index, gfn, pfn, rights, SpteMaker.PREFETCH, false) != SpteMaker.NOT_SHARED;
    }
}
