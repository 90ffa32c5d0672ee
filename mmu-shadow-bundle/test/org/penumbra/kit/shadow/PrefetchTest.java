package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.GuestFormat;
import org.penumbra.testkit.fixture.FixtureHost;

/** Sptes that are made before they are asked for. */
class PrefetchTest extends ShadowFixture {
    /** The first of eight pages. */
    private static final long LOW = 0x40_8000L;
    private static final long WINDOW = 0x2000_0000L;

    private void pages(PagingMode mode) {
        start(mode);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(LOW + 0x1000, 101, 1, P | W | U | A | D);
        tables.map(LOW + 0x2000, 102, 1, P | W | U | A);
        tables.map(LOW + 0x3000, 103, 1, P | W | U);
        tables.map(LOW + 0x4000, 104, 1, P | W | U | A | D);
        tables.map(LOW + 0x8000, 108, 1, P | W | U | A | D);
        load(tables.state());
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S01 a fault fills the empty sptes of the same eight up to a page never accessed, a clean one without W, none as accessed")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void neighbours(PagingMode mode) {
        pages(mode);
        assertThat(access(LOW, USER_READ)).isEqualTo(Resolution.RETRY);
        long dirty = spte(LOW + 0x1000);
        assertThat(Spte.pfn(dirty)).isEqualTo(101 + FixtureHost.OFFSET);
        assertThat(dirty & (Spte.WRITABLE | GuestFormat.USER | GuestFormat.ACCESSED)).isEqualTo(Spte.WRITABLE | GuestFormat.USER);
        long clean = spte(LOW + 0x2000);
        assertThat(Spte.pfn(clean)).isEqualTo(102 + FixtureHost.OFFSET);
        assertThat(Spte.writable(clean)).as("D has to be set first").isFalse();
        assertThat(spte(LOW + 0x3000)).as("A has to be set first").isZero();
        assertThat(spte(LOW + 0x4000)).as("behind one that cannot be").isZero();
        assertThat(spte(LOW + 0x8000)).as("in the next eight").isZero();
    }

    @Test
    @DisplayName("S01 without paging a fault fills the empty sptes of the same eight, a table among them read-only")
    void direct() {
        start(PagingMode.BITS_32);
        long table = tables.cr3();
        load(new PagingState(ControlBits.CR0_PE, 0, 0, 0, 0, 0));
        access(table + 0x1000, USER_READ);
        assertThat(Spte.pfn(spte(table + 0x7000))).isEqualTo((table >>> 12) + 7 + FixtureHost.OFFSET);
        assertThat(Spte.writable(spte(table + 0x7000))).isTrue();
        assertThat(SpteFormat.LEGACY.present(spte(table))).isTrue();
        assertThat(Spte.writable(spte(table))).as("the shadowed directory").isFalse();
        assertThat(spte(table + 0x8000)).isZero();
    }

    @Test
    @DisplayName("S01 S14 what would be writable is not filled while its writes are logged, and a read-only page is")
    void logged() {
        pages(PagingMode.FOUR_LEVEL);
        tables.map(LOW + 0x1000, 101, 1, P | U | A);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        tables.map(LOW + 0x2000, 102, 1, P | W | U | A | D);
        access(LOW, USER_READ);
        assertThat(Spte.pfn(spte(LOW + 0x1000))).isEqualTo(101 + FixtureHost.OFFSET);
        assertThat(spte(LOW + 0x2000)).isZero();
        assertThat(host.takeDirty()).isEmpty();
    }

    @Test
    @DisplayName("S01 with the prefetch switched off a fault fills one spte")
    void off() {
        host.with("shadow.prefetch", "off");
        pages(PagingMode.FOUR_LEVEL);
        access(LOW, USER_READ);
        assertThat(spte(LOW + 0x1000)).isZero();
    }

    /** The guest repoints a page in its unsync table and invalidates it. */
    private long invalidated(PagingMode mode) {
        pages(mode);
        long entry = tables.entryGpa(LOW + 0x8000, 1);
        access(LOW + 0x8000, USER_WRITE);
        tables.map(WINDOW, entry >>> 12, 1, P | W | U);
        assertThat(access(WINDOW, USER_WRITE)).as("goes unsync").isEqualTo(Resolution.RETRY);
        tables.entry(entry, 200L << 12 | P | W | U | A | D);
        assertThat(Spte.pfn(spte(LOW + 0x8000))).as("stale").isEqualTo(108 + FixtureHost.OFFSET);
        context.invalidatePage(LOW + 0x8000);
        return spte(LOW + 0x8000);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S08 with the INVLPG prefetch the spte of the invalidated page maps the new frame at once")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void invlpg(PagingMode mode) {
        host.with("shadow.invlpg-prefetch", "on");
        assertThat(Spte.pfn(invalidated(mode))).isEqualTo(200 + FixtureHost.OFFSET);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S08 INVLPG of a page that got another frame leaves no spte, and the next access finds the new frame")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void invlpgWithout(PagingMode mode) {
        assertThat(invalidated(mode)).isZero();
        access(LOW + 0x8000, USER_READ);
        assertThat(Spte.pfn(spte(LOW + 0x8000))).isEqualTo(200 + FixtureHost.OFFSET);
    }
}
