package org.penumbra.kit.shadow;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.penumbra.api.mmu.LoadableRoots.Loadable;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * The roots of one vCPU: the current one and the most recent previous ones, so that a switch back to an address space costs no
 * rebuilding. KVM: {@code mmu->root}, {@code mmu->prev_roots}, {@code fast_pgd_switch}. Under the MMU's lock, exclusively but for what says otherwise.
 *
 * <p>A guest in 4- or 5-level paging has one top-level shadow page. Every other guest runs on PAE tables: four page directories of
 * 1 GiB each, and the PDPTEs that name them in a frame of their own (KVM: {@code pae_root}), from where VM entry loads the PDPTE
 * registers (SDM vol. 3, "Loading Page-Directory-Pointer-Table Entries"). Nested tables have at least as many levels as the host's paging (APM
 * vol. 2, "Nested Paging"): above one of 4 levels on a host of 5 a frame has one entry, for the addresses that 4 levels translate (KVM: {@code
 * role.passthrough}, {@code pml5_root}).
 */
final class Roots {
    /** CR3 has 32 bits outside IA-32e mode. */
    private static final long PAE_LIMIT = 1L << 32;
    private static final int QUARTERS = 4;
    private static final int FRAMES_OF_1G_BITS = 18;

    private final class Root {
        final GuestRoot of;
        /** The top-level shadow page, or a page directory for each GiB, null where the guest has none. */
        final ShadowPage[] pages;
        final TranslationRoot value;
        /** {@link #value} names a frame of its own, above the pages. */
        final boolean above;
        /** Something that the guest dropped since may still be in the sptes below. */
        boolean stale;

        Root(GuestRoot of, ShadowPage[] pages, long top, boolean above) {
            this.of = of;
            this.pages = pages;
            this.value = of.root(top, mmu.rootLevels(of));
            this.above = above;
        }

        ShadowPage page(long gva) {
            return pages[pages.length == 1 ? 0 : (int) (gva >>> 30) & QUARTERS - 1];
        }

        boolean invalid() {
            for (ShadowPage page : pages) {
                if (page != null && (page.invalid || mmu.tree.pages.obsolete(page))) {
                    return true;
                }
            }
            return false;
        }
    }

    private final ShadowPaging mmu;
    private final Worker w;
    private final ArrayDeque<Root> previous = new ArrayDeque<>();
    private Root current;

    Roots(ShadowPaging mmu, Worker w) {
        this.mmu = mmu;
        this.w = w;
        mmu.add(this);
    }

    /** Makes the root for {@code wanted} current, from the previous ones if it is there; a stale one is brought in step. */
    void select(GuestRoot wanted) {
        if (current == null || !current.of.serves(wanted)) {
            Root next = take(wanted);
            retire();
            current = next;
            (current == null ? mmu.counters.previousRootMiss : mmu.counters.previousRootHit).increment();
        }
        freshen();
    }

    /** Brings the current root in step if it is stale. */
    void freshen() {
        if (current != null && current.stale && !current.invalid()) {
            sync(current);
            current.stale = false;
        }
    }

    private void sync(Root root) {
        for (ShadowPage page : root.pages) {
            if (page != null) {
                mmu.sync.subtree(w, page);
            }
        }
    }

    private void retire() {
        if (current == null) {
            return;
        }
        previous.addFirst(current);
        current = null;
        while (previous.size() > mmu.options.previousRoots()) {
            put(previous.removeLast());
        }
    }

    /** Gives {@code root} up. */
    private void put(Root root) {
        for (ShadowPage page : root.pages) {
            if (page != null) {
                mmu.tree.putRoot(page);
            }
        }
        // Of PAE paging the processor has the four entries in registers and looks at them in memory at entry only.
        mmu.tree.commit(w.clock, root.above && root.pages.length == 1);
        if (root.above) {
            mmu.host.lease().free(Spte.address(root.value.register()));
        }
    }

    private Root take(GuestRoot wanted) {
        for (Iterator<Root> it = previous.iterator(); it.hasNext(); ) {
            Root root = it.next();
            if (root.of.serves(wanted)) {
                it.remove();
                if (!root.invalid()) {
                    return root;
                }
                put(root);
                return null;
            }
        }
        return null;
    }

    /**
     * The root to enter the guest with, if it is there and good. Needs no lock: whoever zaps a root flushes afterwards, so that a vCPU which
     * has looked too early does not enter with it.
     */
    TranslationRoot valid() {
        return current == null || current.invalid() ? null : current.value;
    }

    /** The root to enter the guest with; built if there is none, or if the last one was zapped. */
    TranslationRoot current(GuestRoot wanted) {
        if (current != null && current.invalid()) {
            put(current);
            current = null;
        }
        if (current == null) {
            mmu.makePagesAvailable(w);
            current = build(wanted);
            mmu.tree.commit(w.clock, false);
            sync(current);
        }
        return current.value;
    }

    /** KVM: mmu_alloc_shadow_roots, mmu_alloc_direct_roots. */
    private Root build(GuestRoot of) {
        boolean whole = of.format().levels() > 3;
        if (whole && mmu.rootLevels(of) == of.format().levels()) {
            ShadowPage page = whole(of);
            return new Root(of, new ShadowPage[] {page}, page.spt, false);
        }
        long top = mmu.host.lease().allocate(w.clock);
        if (!whole && top >= PAE_LIMIT) {
            mmu.host.lease().free(top);
            throw new IllegalStateException(String.format("PDPTEs must lie below 4 GiB, and the host has no frame there but 0x%x", top));
        }
        ShadowPage[] pages = new ShadowPage[whole ? 1 : QUARTERS];
        Root root = new Root(of, pages, top, true);
        boolean done = false;
        try {
            for (int i = 0; i < pages.length; i++) {
                pages[i] = whole ? whole(of) : directory(of, i);
                if (pages[i] != null) {
                    w.sptes.store(top + 8L * i, whole ? mmu.format.table(pages[i].spt) : SpteFormat.pdpte(pages[i].spt));
                }
            }
            done = true;
        } finally {
            if (!done) {
                put(root);
            }
        }
        return root;
    }

    /** The top-level shadow page of tables of 4 or 5 levels. */
    private ShadowPage whole(GuestRoot of) {
        return pin(of.gfn(), Role.of(of.format().levels(), Rights.ALL, of.mode(), 0));
    }

    /** The page directory for GiB {@code i} of the linear addresses. */
    private ShadowPage directory(GuestRoot of, int i) {
        switch (of.format()) {
            case NONE:
                return pin((long) i << FRAMES_OF_1G_BITS, Role.direct(2, Rights.ALL, of.mode()));
            case PAE:
                long pdpte = of.pdptes().get(i);
                return (pdpte & GuestFormat.PRESENT) != 0 ? pin(of.format().gfn(pdpte), Role.of(2, Rights.ALL, of.mode(), 0)) : null;
            default:
                return pin(of.gfn(), Role.of(2, Rights.ALL, of.mode(), i));
        }
    }

    private ShadowPage pin(long gfn, int role) {
        ShadowPage page = mmu.page(w, gfn, role);
        page.rootCount++;
        return page;
    }

    /** The current root's page that {@code gva} is translated by; null before the first entry, and where the guest has none. */
    ShadowPage page(long gva) {
        return current == null ? null : current.page(gva);
    }

    /** The guest drops what is cached under {@code pcid}: its roots are brought in step before they are used again. */
    void stale(int pcid) {
        all(root -> root.stale |= root.of.pcid() == pcid);
    }

    /**
     * The guest drops what is cached by the EPT or nested tables that begin at {@code gfn}, whatever else their pointers say: SDM vol. 3,
     * "Operations that Invalidate Cached Mappings", by EP4TA. KVM: nested_ept_root_matches.
     */
    void staleTables(long gfn) {
        all(root -> root.stale |= root.of.gfn() == gfn);
    }

    /** The guest drops everything. */
    void staleAll() {
        all(root -> root.stale = true);
    }

    /**
     * Roots that the guest may load by itself: no unsync page is below them, so that a MOV to CR3 that exits would find nothing to put
     * right even in a stale one; and CR3 says all about them. Needs a share of the lock only.
     */
    List<Loadable> loadable(GuestRoot now) {
        List<Loadable> loadable = new ArrayList<>();
        if (now.pcide()) {
            return loadable;
        }
        all(root -> {
            boolean plain = root.pages.length == 1 && !root.of.pcide() && root.of.mode() == now.mode();
            if (plain && !root.invalid() && root.pages[0].unsyncChildren == 0) {
                loadable.add(new Loadable(root.of.register(), root.pages[0].spt));
            }
        });
        return loadable;
    }

    private void all(Consumer<Root> action) {
        if (current != null) {
            action.accept(current);
        }
        previous.forEach(action);
    }

    /** The pages of every root, once for each root: for audits. */
    void forEachPage(Consumer<ShadowPage> action) {
        all(root -> Stream.of(root.pages).filter(Objects::nonNull).forEach(action));
    }

    /** The pages that {@code gva} is translated by in the current and the previous roots, as far as they are valid. */
    void forEach(long gva, Consumer<ShadowPage> action) {
        all(root -> {
            ShadowPage page = root.page(gva);
            if (page != null && !page.invalid) {
                action.accept(page);
            }
        });
    }
}
