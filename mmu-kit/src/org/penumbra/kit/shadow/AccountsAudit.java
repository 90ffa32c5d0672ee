package org.penumbra.kit.shadow;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.penumbra.kit.GfnCounts;
import org.penumbra.kit.ShadowPage;

/** Counts anew what the shadow MMU keeps count of: tables, roots, unsync children, split pages, pages below the limit. Under the MMU's lock. */
final class AccountsAudit {
    private final ShadowPaging mmu;
    private final Worker w;
    private final Consumer<String> violations;

    AccountsAudit(ShadowPaging mmu, Worker w, Consumer<String> violations) {
        this.mmu = mmu;
        this.w = w;
        this.violations = violations;
    }

    void run() {
        for (ShadowPage page : mmu.tree.pages.all()) {
            unsync(page);
        }
        tables();
        roots();
        limit();
        splits();
    }

    /** The number of marked entries is that of the bits, each leads to a page, and only what can go unsync did. */
    private void unsync(ShadowPage page) {
        int marked = 0;
        for (int i = 0; i < ShadowPage.ENTRIES; i++) {
            if (page.isUnsyncChild(i)) {
                marked++;
                long spte = w.sptes.load(page.sptep(i));
                if (!mmu.format.present(spte) || Spte.leaf(spte, page.level())) {
                    violations.accept(ShadowAudit.at(page, i) + ": marked as leading to unsync pages, and leads to no page");
                }
            }
        }
        if (marked != page.unsyncChildren) {
            violations.accept(ShadowAudit.at(page, 0) + ": counts " + page.unsyncChildren + " unsync children and has " + marked + " marked");
        }
        if (page.unsync && (page.level() > 1 || page.direct())) {
            violations.accept(ShadowAudit.at(page, 0) + ": unsync, but no shadow of a leaf table");
        }
    }

    /** Tables counted per frame and per 2 MiB are those that are shadowed. */
    private void tables() {
        LongIntHashMap upper = new LongIntHashMap();
        LongIntHashMap disallowing = new LongIntHashMap();
        for (ShadowPage page : mmu.tree.pages.active()) {
            if (!page.direct()) {
                disallowing.addToValue(page.gfn >>> 9, 1);
                if (page.level() > 1) {
                    upper.addToValue(page.gfn, 1);
                }
            }
        }
        recount("upper tables in gfn", mmu.tree.upperTables, upper);
        recount("tables in 2 MiB number", mmu.tree.largeDisallowed, disallowing);
    }

    private void recount(String what, GfnCounts counted, LongIntHashMap found) {
        found.forEachKeyValue((number, n) -> {
            if (counted.get(number) != n) {
                violations.accept(String.format("%s 0x%x: %d are counted, and there are %d", what, number, counted.get(number), n));
            }
        });
        if (counted.size() > found.size()) {
            violations.accept(what + "s that have none are counted");
        }
    }

    /** A page's root count is the number of vCPU roots that are it, and what is no longer listed is a root that was zapped. */
    private void roots() {
        Map<ShadowPage, Integer> pinned = new HashMap<>();
        mmu.forEachRoot(page -> pinned.merge(page, 1, Integer::sum));
        for (ShadowPage page : mmu.tree.pages.all()) {
            int n = pinned.getOrDefault(page, 0);
            if (page.rootCount != n) {
                violations.accept(ShadowAudit.at(page, 0) + ": counts " + page.rootCount + " roots and is " + n);
            }
            boolean listed = mmu.tree.pages.active().contains(page);
            if (listed == page.invalid || !listed && n == 0) {
                violations.accept(ShadowAudit.at(page, 0) + ": " + (listed ? "zapped, and still listed" : "has a table, and is neither listed nor a root"));
            }
        }
    }

    /** Roots are exempt from the limit. */
    private void limit() {
        long pages = mmu.tree.pages.active().stream().filter(page -> page.rootCount == 0).count();
        if (pages > mmu.pageLimit()) {
            violations.accept(pages + " shadow pages besides roots, and the limit is " + mmu.pageLimit());
        }
    }

    private void splits() {
        long marked = mmu.tree.pages.all().stream().filter(page -> page.nxHugePageDisallowed).count();
        if (marked != mmu.tree.nx.size()) {
            violations.accept(mmu.tree.nx.size() + " large pages are counted as split for a fetch, and " + marked + " are");
        }
    }
}
