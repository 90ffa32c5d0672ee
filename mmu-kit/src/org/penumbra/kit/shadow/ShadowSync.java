package org.penumbra.kit.shadow;

import java.util.LinkedHashSet;
import java.util.Set;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * Brings unsync shadow pages back in step with the guest's tables, when the guest does what on a processor would drop stale
 * translations. A stale spte is legal until then: it is what a TLB might still hold. Under the MMU's lock.
 */
final class ShadowSync {
    /** Answer of {@link #leafRights}. */
    static final int NOT_MAPPED = -1;

    private final MmuHost host;
    private final ShadowTree tree;
    private final SpteMaker maker;
    private final ShadowCounters counters;
    private final Set<ShadowPage> found = new LinkedHashSet<>();

    ShadowSync(MmuHost host, ShadowTree tree, SpteMaker maker, ShadowCounters counters) {
        this.host = host;
        this.tree = tree;
        this.maker = maker;
        this.counters = counters;
    }

    /**
     * Synchronises every unsync page at or below {@code top}; on return they are write-protected again and agree with the guest's
     * tables. KVM: mmu_sync_children. Flushes as needed.
     */
    void subtree(Worker w, ShadowPage top) {
        collect(w, top);
        if (found.isEmpty()) {
            return;
        }
        boolean flush = false;
        for (ShadowPage page : found) {
            flush |= tree.protect(w, page);
        }
        // Protection must have reached every TLB before the tables are read: a later write faults and is seen.
        if (flush) {
            host.flushRemoteTlbs(w.clock);
        }
        flush = false;
        for (ShadowPage page : found) {
            flush |= page(w, page);
        }
        found.clear();
        if (flush) {
            host.flushRemoteTlbs(w.clock);
        }
    }

    /** Every unsync page at or below {@code page}, each once, taking the marks on the way to them. */
    private void collect(Worker w, ShadowPage page) {
        if (page.unsync) {
            found.add(page);
        }
        for (int i = 0; i < ShadowPage.ENTRIES && page.unsyncChildren > 0; i++) {
            if (page.isUnsyncChild(i)) {
                collect(w, tree.pages.containing(Spte.address(w.sptes.load(page.sptep(i)))));
                page.clearUnsyncChild(i);
            }
        }
    }

    /** Brings each spte of the leaf page {@code page} in step, without protecting its table. Answers flush. KVM: kvm_sync_page. */
    boolean page(Worker w, ShadowPage page) {
        counters.mmuSyncPage.increment();
        w.tell(TracePoint.KVM_MMU_SYNC_PAGE, page, false);
        boolean flush = false;
        for (int i = 0; i < ShadowPage.ENTRIES; i++) {
            flush |= spte(w, page, i);
        }
        return flush;
    }

    /**
     * Brings spte {@code index} of the leaf page {@code page} in step: drops it if the gpte maps nothing, another frame, or was
     * never accessed; adjusts its rights otherwise. Answers flush. KVM: sync_spte.
     */
    boolean spte(Worker w, ShadowPage page, int index) {
        long spte = w.sptes.load(page.sptep(index));
        if (!tree.format.present(spte)) {
            // Nothing, or an MMIO spte, which the next access makes anew. KVM: sync_mmio_spte.
            return tree.zapPte(w, page, index);
        }
        long gpte = w.gpte(page, index);
        long gfn = Role.format(page.role).gfn(gpte);
        int rights = leafRights(page, gpte);
        if (rights == NOT_MAPPED || gfn != page.mappedGfn(index)) {
            return tree.zapPte(w, page, index);
        }
        return (maker.set(w, page, index, gfn, Spte.pfn(spte), rights, SpteMaker.KEEP_SYNC, false) & SpteMaker.FLUSH) != 0;
    }

    /**
     * The {@link Rights} that an spte in the leaf page {@code page} may have by {@code gpte} without a walk, so with the A and D bits that
     * are there; {@link #NOT_MAPPED} if it takes a walk. KVM: FNAME(prefetch_invalid_gpte), FNAME(protect_clean_gpte).
     */
    int leafRights(ShadowPage page, long gpte) {
        GuestFormat format = Role.format(page.role);
        boolean nxe = (page.role & Role.EFER_NX) != 0;
        boolean flags = (page.role & Role.AD_DISABLED) == 0;
        boolean unused = !format.present(gpte) || flags && (gpte & format.accessed()) == 0;
        if (unused || format.reservedBits(gpte, 1, nxe, host.physicalAddressBits()) != 0) {
            return NOT_MAPPED;
        }
        int rights = Role.rights(page.role) & format.rights(gpte);
        // An EPT entry without rights is none; what the path and the leaf allow need not have a right in common.
        if (Role.keptBySmap(page.role, rights) || format.isEpt() && rights == 0) {
            return NOT_MAPPED;
        }
        return (flags && (gpte & format.dirty()) == 0 ? rights & ~Rights.WRITE : rights) | format.memoryType(gpte);
    }
}
