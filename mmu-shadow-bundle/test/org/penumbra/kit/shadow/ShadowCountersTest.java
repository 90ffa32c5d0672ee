package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.PS;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.HashSet;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/** What exactly each counter of shadow paging counts, in situations made by hand. */
class ShadowCountersTest extends ShadowFixture {
    private static final long RWUAD = P | W | U | A | D;

    private TreeMap<String, Long> before = new TreeMap<>();

    /** Counters that changed since the last call, as "name +n name −n …". */
    private String changes() {
        TreeMap<String, Long> now = new TreeMap<>(host.counters().snapshot());
        StringBuilder text = new StringBuilder();
        now.forEach((name, value) -> {
            long by = value - before.getOrDefault(name, 0L);
            if (by != 0) {
                text.append(text.isEmpty() ? "" : " ").append(name).append(by > 0 ? " +" : " ").append(by);
            }
        });
        before = now;
        return text.toString();
    }

    @Test
    @DisplayName("S01 X08 a first fault counts itself, its outcome, three new shadow pages and one 4 KiB mapping; the same again one that was spurious")
    void faults() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        assertThat(changes()).isEqualTo("mmu_cache_miss +1 previous_root_miss +1");
        access(GVA, USER_WRITE);
        assertThat(changes()).isEqualTo("mmu_cache_miss +3 pages_4k +1 pf_fixed +1 pf_taken +1");
        access(GVA, USER_WRITE);
        assertThat(changes()).isEqualTo("pf_spurious +1 pf_taken +1");
        refused(GVA + 0x1000, USER_READ);
        assertThat(changes()).isEqualTo("pf_guest +1 pf_taken +1");
        tables.map(GVA + 0x1000, tables.entryGpa(GVA, 2) >>> 12, 1, RWUAD);
        context.invalidatePage(GVA + 0x1000);
        assertThat(access(GVA + 0x1000, USER_WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(changes()).isEqualTo("pf_emulate +1 pf_taken +1");
    }

    @Test
    @DisplayName("S08 X08 mmu_unsync says how many pages are unsync now, mmu_unsync_page how often one became so")
    void unsync() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        tables.map(GVA + 0x1000, tables.entryGpa(GVA, 1) >>> 12, 1, RWUAD);
        access(GVA, USER_READ);
        changes();
        access(GVA + 0x1000, USER_WRITE);
        assertThat(changes()).isEqualTo("mmu_unsync +1 mmu_unsync_page +1 pf_fixed +1 pf_taken +1");
        load(state);
        assertThat(changes()).isEqualTo("mmu_sync_page +1 mmu_unsync -1");
        access(GVA + 0x1000, USER_WRITE);
        assertThat(changes()).isEqualTo("mmu_unsync +1 mmu_unsync_page +1 pf_fixed +1 pf_taken +1");
        mmu.slotsChanged(0, 4096, host.clock());
        assertThat(changes()).isEqualTo("mmu_shadow_zapped +4 mmu_unsync -1 pages_4k -2");
    }

    @Test
    @DisplayName("S07 S09 X08 a write to a table counts, what it took away above the leaves, and the page that was zapped as flooded")
    void tableWrites() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        access(GVA, USER_READ);
        changes();
        long pde = tables.entryGpa(GVA, 2);
        emulatedStore(pde, host.guest64(pde));
        assertThat(changes()).isEqualTo("mmu_pde_zapped +1 mmu_pte_write +1");
        emulatedStore(pde, host.guest64(pde));
        assertThat(changes()).as("there was nothing left").isEqualTo("mmu_pte_write +1");
        emulatedStore(pde, host.guest64(pde));
        assertThat(changes()).isEqualTo("mmu_flooded +1 mmu_pte_write +1 mmu_shadow_zapped +1");
        emulatedStore(tables.entryGpa(GVA, 1), 0);
        assertThat(changes()).as("a leaf entry").isEqualTo("mmu_pte_write +1 pages_4k -1");
        emulatedStore(0x5000, 1);
        assertThat(changes()).as("no table").isEmpty();
    }

    @Test
    @DisplayName("S10 S18 X08 pages_4k and pages_2m are the leaf sptes that there are, of each size, through host events and splits")
    void mappings() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 1024, 2, RWUAD);
        access(GVA, USER_WRITE);
        assertThat(host.count("pages_2m")).isEqualTo(1);
        mmu.hostRangeChanged(1024, 1, host.clock());
        assertThat(host.count("pages_2m")).isZero();
        host.hostPage(1024, false);
        access(GVA, USER_WRITE);
        access(GVA + 0x20_000, USER_WRITE);
        long pieces = host.count("pages_4k");
        assertThat(pieces).as("with those fetched ahead").isEqualTo(leaves());
        mmu.hostRangeChanged(1024, 1, host.clock());
        assertThat(host.count("pages_4k")).isEqualTo(pieces - 1).isEqualTo(leaves());
        host.hostPage(1024, true);
        access(GVA, USER_WRITE);
        assertThat(host.count("pages_2m")).isEqualTo(1);
        assertThat(host.count("pages_1g")).as("host pages are 2 MiB at most").isZero();
    }

    /** Leaf sptes of level 1 that are in memory. */
    private long leaves() {
        long found = 0;
        for (ShadowPage page : mmu.tree.pages.all()) {
            for (int i = 0; page.level() == 1 && i < 512; i++) {
                found += SpteFormat.LEGACY.present(host.memory().load64(page.sptep(i))) ? 1 : 0;
            }
        }
        return found;
    }

    @Test
    @DisplayName("P01 X08 an MMU that closes takes back what it had mapped, unsync and split, and leaves what has happened")
    void swappedOut() {
        host = new FixtureHost(factory, 2).with(ShadowSettings.NX_HUGE_PAGES, "on");
        start();
        tables.map(GVA, 1024, 2, RWUAD);
        long other = GVA + (1L << 30);
        tables.map(other, 100, 1, RWUAD);
        tables.map(other + 0x1000, tables.entryGpa(other, 1) >>> 12, 1, RWUAD);
        access(GVA, Access.FETCH | Access.USER);
        access(other, USER_READ);
        access(other + 0x1000, USER_WRITE);
        assertThat(host.count("nx_lpage_splits")).isEqualTo(1);
        assertThat(host.count("mmu_unsync")).isEqualTo(1);
        assertThat(host.count("pages_4k")).isEqualTo(leaves());
        long taken = host.count("pf_taken");
        ShadowPaging old = mmu;
        ShadowPaging next = (ShadowPaging) factory.create(host);
        old.close();
        for (String gauge : new String[] {"nx_lpage_splits", "mmu_unsync", "pages_4k", "pages_2m"}) {
            assertThat(host.count(gauge)).as(gauge).isZero();
        }
        assertThat(host.count("pf_taken")).isEqualTo(taken);
        mmu = next;
        context = mmu.newContext(host);
        load(state);
        access(other, USER_READ);
        assertThat(host.count("pages_4k")).isEqualTo(leaves());
    }

    @Test
    @DisplayName("S01 X08 max_mmu_page_hash_collisions is the most pages of other gfns in a chain of KVM's hash table")
    void collisions() {
        start();
        long first = 1;
        Set<Long> together = new HashSet<>();
        for (long gfn = 2; together.size() < 2; gfn++) {
            if (chain(gfn) == chain(first)) {
                together.add(gfn);
            }
        }
        long most = host.count("max_mmu_page_hash_collisions");
        int role = Role.direct(1, Rights.ALL, 0);
        Worker w = new Worker(host, host.clock());
        mmu.page(w, first, role);
        mmu.page(w, first, Role.direct(1, 0, 0));
        assertThat(host.count("max_mmu_page_hash_collisions")).as("its own gfn is no collision").isEqualTo(most);
        for (long gfn : together) {
            mmu.page(w, gfn, role);
        }
        assertThat(host.count("max_mmu_page_hash_collisions")).isEqualTo(3);
    }

    /** hash_64(gfn, 12) of Linux's {@code include/linux/hash.h}. */
    private static long chain(long gfn) {
        return gfn * 0x61C8864680B583EBL >>> 52;
    }
}
