package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** How many shadow pages there are at most, and how all of them go. */
class ShadowLimitsTest extends ShadowFixture {
    private static final long APART = 2 << 20;

    /** Pages under {@code count} leaf tables. */
    private void use(int count) {
        for (int i = 0; i < count; i++) {
            tables.map(GVA + i * APART, 2000 + i % 2000, 1, P | W | U);
            assertThat(access(GVA + i * APART, USER_READ)).isEqualTo(Resolution.RETRY);
        }
    }

    private int pages() {
        return mmu.tree.pages.active().size();
    }

    @Test
    @DisplayName("S16 above the page limit the oldest shadow pages are recycled, and the translations come back when they are used")
    void limit() {
        host = new FixtureHost(factory, 1).with(ShadowSettings.PAGE_LIMIT, "64");
        start();
        use(50);
        TranslationRoot root = context.root();
        assertThat(host.count("mmu_recycled")).isZero();
        int before = pages();
        use(200);
        assertThat(host.count("mmu_recycled")).isPositive();
        assertThat(pages()).isLessThanOrEqualTo(64).isGreaterThanOrEqualTo(before - 25);
        assertThat(host.frames()).isLessThanOrEqualTo(65);
        assertThat(context.root()).as("no root is recycled, though it is the oldest of all").isEqualTo(root);
        assertThat(spte(GVA + 199 * APART)).as("the newest").isNotZero();
        assertThat(spte(GVA)).as("the oldest").isZero();
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(2000 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S16 by default there may be 20 shadow pages for 1000 frames of guest memory")
    void byDefault() {
        start();
        use(200);
        // 4096 frames allow 81.
        assertThat(pages()).isLessThanOrEqualTo(81).isGreaterThan(50);
    }

    @Test
    @DisplayName("S16 a guest in which most frames were leaf tables once takes no more host memory than the limit")
    void mostFramesAreTables() {
        host.leaseLimit(90);
        start();
        use(3500);
        assertThat(host.frames()).isLessThanOrEqualTo(82);
    }

    @ParameterizedTest
    @ValueSource(strings = {"63", "many", "-1", ""})
    @DisplayName("S16 a page limit that is no number from 64 up is refused with what would be right")
    void badLimit(String value) {
        host = new FixtureHost(factory, 1).with(ShadowSettings.PAGE_LIMIT, value);
        assertThatThrownBy(() -> factory.create(host)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("shadow.page-limit").hasMessageContaining("64");
        host = new FixtureHost(factory, 1);
        start();
    }

    @Test
    @DisplayName("S16 when host memory is exhausted shadow pages are recycled; with the policy switched off that is an error")
    void reclaim() {
        host = new FixtureHost(factory, 1).with(ShadowSettings.PAGE_LIMIT, "1000");
        host.leaseLimit(40);
        start();
        for (int i = 0; i < 200; i++) {
            tables.map(GVA + i * APART, 2000 + i, 1, P | W | U);
            while (spte(GVA + i * APART) == 0) {
                assertThat(access(GVA + i * APART, USER_READ)).isEqualTo(Resolution.RETRY);
            }
        }
        assertThat(host.count("mmu_recycled")).isPositive();
        host = new FixtureHost(factory, 1).with(ShadowSettings.RECLAIM, "off");
        host.leaseLimit(40);
        start();
        assertThatThrownBy(() -> use(60)).isInstanceOf(LeaseException.class);
    }

    @Test
    @DisplayName("S17 when everything is zapped a root that a vCPU has stays until it asks for another, all else goes at once")
    void obsoleteRoots() {
        start();
        MmuContext second = mmu.newContext(host);
        GuestTables others = new GuestTables(host, 700);
        second.load(PagingState.longMode(others.cr3()), false);
        TranslationRoot old = second.root();
        use(20);
        TranslationRoot before = context.root();
        host.takeFlushes();
        mmu.slotsChanged(0, 4096, host.clock());
        assertThat(host.takeFlushes()).as("every vCPU comes out").isPositive();
        assertThat(host.frames()).as("two roots").isEqualTo(2);
        assertThat(context.root()).isNotEqualTo(before);
        assertThat(host.frames()).isEqualTo(2);
        assertThat(second.root()).isNotEqualTo(old);
        assertThat(pages()).isEqualTo(2);
        use(3);
    }

    @Test
    @DisplayName("S17 S02 a previous root that was zapped meanwhile is not gone back to")
    void obsoletePrevious() {
        start();
        PagingState first = state;
        use(1);
        TranslationRoot before = context.root();
        load(PagingState.longMode(new GuestTables(host, 700).cr3()));
        mmu.slotsChanged(0, 4096, host.clock());
        long hits = host.count("previous_root_hit");
        load(first);
        assertThat(host.count("previous_root_hit")).isEqualTo(hits);
        assertThat(context.root()).isNotEqualTo(before);
        assertThat(spte(GVA)).isZero();
    }

    @Test
    @DisplayName("S17 a fault on an obsolete root maps nothing: the vCPU has to come back with another")
    void obsoleteInFault() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        TranslationRoot before = context.root();
        mmu.tree.obsoleteAll(host.clock());
        MmuFault fault = new MmuFault();
        fault.gva = GVA;
        fault.access = USER_READ;
        assertThat(context.resolve(fault)).isEqualTo(Resolution.RETRY);
        assertThat(pages()).isEqualTo(1);
        assertThat(context.root()).isNotEqualTo(before);
        access(GVA, USER_READ);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S17 obsolete pages go in batches, and what is built between two of them stays")
    void batches() {
        start();
        use(20);
        mmu.tree.obsoleteAll(host.clock());
        Worker w = new Worker(host, host.clock());
        int before = pages();
        assertThat(mmu.tree.zapObsolete(w, 10)).as("there are more").isTrue();
        assertThat(pages()).isEqualTo(before - 10);
        access(GVA, USER_READ);
        while (mmu.tree.zapObsolete(w, 10)) {
            assertThat(spte(GVA)).isNotZero();
        }
        assertThat(spte(GVA)).isNotZero();
        assertThat(pages()).as("the path to one page").isEqualTo(4);
    }

    @Test
    @DisplayName("S10 pieces of a large page become one again with the end of the dirty log, and of a table inside")
    void largeAgain() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 512, 2, P | W | U);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        access(GVA, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).isZero();
        host.logging(false);
        mmu.stopDirtyLog(host.clock());
        access(GVA + 0x5000, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).isNotZero();
        // A leaf table in frame 600, which lies in what the large page maps.
        tables.map(GVA + APART, 0, 1, 0);
        tables.entry(tables.entryGpa(GVA + APART, 2), 600L << 12 | P | W | U);
        tables.map(GVA + APART, 100, 1, P | W | U);
        access(GVA + APART, USER_READ);
        access(GVA, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).as("a table inside").isZero();
        emulatedStore(tables.entryGpa(GVA + APART, 2), 0);
        mmu.slotsChanged(0, 4096, host.clock());
        access(GVA, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).isNotZero();
    }

    @Test
    @DisplayName("S23 with the mitigation a 2 MiB spte is not executable, a fetch splits it, and the split stays for data accesses")
    void nxHugePages() {
        host = new FixtureHost(factory, 2).with(ShadowSettings.NX_HUGE_PAGES, "on");
        start();
        tables.map(GVA, 512, 2, P | W | U);
        access(GVA, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).isNotZero();
        assertThat(spte(GVA) & GuestFormat.NX).isNotZero();
        int fetch = Access.FETCH | Access.USER;
        access(GVA + 0x1_3000, fetch);
        assertThat(spte(GVA + 0x1_3000) & (Spte.LARGE | GuestFormat.NX)).isZero();
        assertThat(spte(GVA)).isZero();
        access(GVA, USER_READ);
        assertThat(spte(GVA) & Spte.LARGE).isZero();
        assertThat(spte(GVA + 0x1_3000)).as("still executable").isNotZero();
        assertThat(host.count("nx_lpage_splits")).isEqualTo(1);
        mmu.slotsChanged(0, 4096, host.clock());
        assertThat(host.count("nx_lpage_splits")).isZero();
    }

    @Test
    @DisplayName("S23 without the mitigation a 2 MiB spte is executable")
    void executableLargePages() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 512, 2, P | W | U);
        access(GVA, USER_READ);
        assertThat(spte(GVA) & (Spte.LARGE | GuestFormat.NX)).isEqualTo(Spte.LARGE);
    }
}
