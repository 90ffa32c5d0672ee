package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/** Each count that the audit makes anew: what it says when the count is wrong. */
class AccountsAuditTest extends ShadowFixture {
    private ShadowPage leafTable() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        return page(1);
    }

    private ShadowPage page(int level) {
        return mmu.tree.pages.active().stream().filter(p -> p.level() == level).findFirst().orElseThrow();
    }

    private void reports(String what) {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).isNotEmpty().allMatch(v -> v.contains(what));
    }

    @Test
    @DisplayName("S19 a mark in the unsync bitmap that is not counted, a count without a mark, and a mark that leads to no page")
    void unsyncMarks() {
        leafTable();
        // The root, since a page above would miss its mark, too.
        ShadowPage page = page(4);
        page.unsyncChildren++;
        reports("counts 1 unsync children and has 0 marked");
        page.unsyncChildren--;
        page.unsyncChildBitmap[0] = 1;
        reports("counts 0 unsync children and has 1 marked");
        page.unsyncChildBitmap[0] = 0;
        page.markUnsyncChild(200);
        reports("spte 200: marked as leading to unsync pages, and leads to no page");
        page.clearUnsyncChild(200);
    }

    @Test
    @DisplayName("S19 an unsync page that the entry above is not marked for, and an unsync page that is no leaf table")
    void unsyncPages() {
        ShadowPage page = leafTable();
        page.unsync = true;
        reports("leads to unsync pages and is not marked");
        page.unsync = false;
        ShadowPage root = page(4);
        root.unsync = true;
        reports("unsync, but no shadow of a leaf table");
        root.unsync = false;
    }

    @Test
    @DisplayName("S19 a table too many or too few in the counts of upper tables and of tables in 2 MiB")
    void tables() {
        ShadowPage page = leafTable();
        mmu.tree.upperTables.add(tables.cr3() >>> 12, 1);
        reports("upper tables in gfn 0x10: 2 are counted, and there are 1");
        mmu.tree.upperTables.add(tables.cr3() >>> 12, -1);
        mmu.tree.upperTables.add(5, 1);
        reports("upper tables in gfns that have none are counted");
        mmu.tree.upperTables.add(5, -1);
        mmu.tree.largeDisallowed.add(page.gfn >>> 9, -1);
        reports("tables in 2 MiB number 0x0: 3 are counted, and there are 4");
        mmu.tree.largeDisallowed.add(page.gfn >>> 9, 1);
    }

    @Test
    @DisplayName("S19 a root count that is not the number of vCPU roots, and a page that is neither listed nor a root")
    void roots() {
        ShadowPage leaf = leafTable();
        ShadowPage root = page(4);
        root.rootCount++;
        reports("counts 2 roots and is 1");
        root.rootCount--;
        root.invalid = true;
        reports("zapped, and still listed");
        root.invalid = false;
        leaf.rootCount++;
        reports("counts 1 roots and is 0");
        leaf.rootCount--;
    }

    @Test
    @DisplayName("S19 S16 more shadow pages than the page limit allows")
    void limit() {
        host = new FixtureHost(factory, 1).with(ShadowSettings.PAGE_LIMIT, "64");
        start();
        Worker w = new Worker(host, host.clock());
        for (int i = 0; i < 65; i++) {
            mmu.tree.create(w, 512L * i, Role.direct(1, Rights.ALL, 0));
        }
        reports("65 shadow pages besides roots, and the limit is 64");
        mmu.makePagesAvailable(w);
    }

    @Test
    @DisplayName("S19 S23 a page that is marked as split for a fetch and is not counted")
    void splits() {
        ShadowPage page = leafTable();
        page.nxHugePageDisallowed = true;
        reports("0 large pages are counted as split for a fetch, and 1 are");
        page.nxHugePageDisallowed = false;
    }
}
