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
        final int mode;
        final ShadowPage page;
        final TranslationRoot.OneDimensional value;
        boolean stale;

        Root(long cr3, int mode, ShadowPage page, int pcid) {
            this.cr3 = cr3;
            this.mode = mode;
            this.page = page;
            this.value = new TranslationRoot.OneDimensional(page.spt | pcid);
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

    /** Makes the root for {@code state} current, from the previous ones if it is there; in step if {@code synchronise}. */
    void select(PagingState state, int mode, boolean synchronise) {
        if (current == null || current.cr3 != state.cr3() || current.mode != mode) {
            Root next = take(state.cr3(), mode);
            retire();
            current = next;
            (current == null ? mmu.counters.previousRootMiss : mmu.counters.previousRootHit).increment();
        }
        if (current != null && (synchronise || current.stale) && !current.page.invalid) {
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

    private Root take(long cr3, int mode) {
        for (Iterator<Root> it = previous.iterator(); it.hasNext(); ) {
            Root root = it.next();
            if (root.cr3 == cr3 && root.mode == mode) {
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
            current = new Root(state.cr3(), mode, page, state.pcid());
        }
        return current.value;
    }

    /** The current root's page; null before the first entry. */
    ShadowPage page() {
        return current == null ? null : current.page;
    }

    /** No root may be used again before it was brought in step: everything was flushed, not only one address space. */
    void staleAll() {
        if (current != null) {
            current.stale = true;
        }
        previous.forEach(root -> root.stale = true);
    }

    /** The current and the previous roots that are still valid. */
    void forEach(Consumer<ShadowPage> action) {
        if (current != null && !current.page.invalid) {
            action.accept(current.page);
        }
        previous.forEach(root -> {
            if (!root.page.invalid) {
                action.accept(root.page);
            }
        });
    }
}
