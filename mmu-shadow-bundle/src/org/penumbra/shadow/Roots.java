package org.penumbra.shadow;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.function.Consumer;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/**
 * The root shadow pages of one vCPU: the current one and the most recent previous ones, so that a switch back to an address
 * space costs no rebuilding. KVM: {@code mmu->root}, {@code mmu->prev_roots}, {@code fast_pgd_switch}. Under the MMU's lock.
 */
final class Roots {
    private static final class Root {
        final long cr3;
        final int pcid;
        final int mode;
        final ShadowPage page;
        final TranslationRoot.OneDimensional value;
        /** Something that the guest dropped since may still be in the sptes below. */
        boolean stale;

        Root(long cr3, int pcid, int mode, ShadowPage page) {
            this.cr3 = cr3;
            this.pcid = pcid;
            this.mode = mode;
            this.page = page;
            this.value = new TranslationRoot.OneDimensional(page.spt | pcid);
        }

        boolean serves(PagingState state, int wantedMode) {
            return cr3 == state.cr3() && pcid == state.pcid() && mode == wantedMode;
        }
    }

    private final ShadowMmu mmu;
    private final Worker w;
    private final ArrayDeque<Root> previous = new ArrayDeque<>();
    private Root current;

    Roots(ShadowMmu mmu, Worker w) {
        this.mmu = mmu;
        this.w = w;
    }

    /** Makes the root for {@code state} current, from the previous ones if it is there; a stale one is brought in step. */
    void select(PagingState state, int mode) {
        if (current == null || !current.serves(state, mode)) {
            Root next = take(state, mode);
            retire();
            current = next;
            (current == null ? mmu.counters.previousRootMiss : mmu.counters.previousRootHit).increment();
        }
        if (current != null && current.stale && !current.page.invalid) {
            mmu.sync.subtree(w, current.page);
            current.stale = false;
        }
    }

    private void retire() {
        if (current == null) {
            return;
        }
        previous.addFirst(current);
        current = null;
        while (previous.size() > mmu.previousRoots) {
            mmu.tree.putRoot(previous.removeLast().page);
        }
        mmu.tree.commit(w.clock, false);
    }

    private Root take(PagingState state, int mode) {
        for (Iterator<Root> it = previous.iterator(); it.hasNext(); ) {
            Root root = it.next();
            if (root.serves(state, mode)) {
                it.remove();
                return root;
            }
        }
        return null;
    }

    /** The root to enter the guest with; built if there is none, or if the last one was zapped. */
    TranslationRoot current(PagingState state, int mode) {
        if (current != null && current.page.invalid) {
            mmu.tree.putRoot(current.page);
            mmu.tree.commit(w.clock, false);
            current = null;
        }
        if (current == null) {
            int role = Role.of(mmu.format.levels(), false, Rights.ALL, mode);
            ShadowPage page = mmu.page(w, state.root() >>> 12, role);
            page.rootCount++;
            mmu.tree.commit(w.clock, false);
            mmu.sync.subtree(w, page);
            current = new Root(state.cr3(), state.pcid(), mode, page);
        }
        return current.value;
    }

    /** The current root's page; null before the first entry. */
    ShadowPage page() {
        return current == null ? null : current.page;
    }

    /** The guest dropped what is cached under {@code pcid}: its roots are brought in step before they are used again. */
    void stale(int pcid) {
        all(root -> root.stale |= root.pcid == pcid);
    }

    /** The guest dropped everything. */
    void staleAll() {
        all(root -> root.stale = true);
    }

    private void all(Consumer<Root> action) {
        if (current != null) {
            action.accept(current);
        }
        previous.forEach(action);
    }

    /** The current and the previous roots that are still valid. */
    void forEach(Consumer<ShadowPage> action) {
        all(root -> {
            if (!root.page.invalid) {
                action.accept(root.page);
            }
        });
    }
}
