package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/** Where 2 MiB sptes are made: the conditions of mmu.rst, "Large pages", each begun and ended. */
class LargePagesTest extends ShadowFixture {
    private static final long APART = 2 << 20;
    private static final long ALL = P | W | U | A | D;

    @BeforeEach
    void largeHostPages() {
        host = new FixtureHost(factory, 2);
    }

    private boolean large(long gva) {
        assertThat(access(gva, USER_READ)).isEqualTo(Resolution.RETRY);
        return (spte(gva) & Spte.LARGE) != 0;
    }

    @Test
    @DisplayName("S10 what the guest maps by 4 KiB is never larger, however large the host's page is")
    void smallGuestPage() {
        start();
        tables.map(GVA, 1024, 1, ALL);
        assertThat(large(GVA)).isFalse();
    }

    @Test
    @DisplayName("S10 a 1 GiB guest page is mapped by 2 MiB, and by 4 KiB where the host's page is small or a table lies inside")
    void gigabytePage() {
        start();
        tables.map(GVA, 0, 3, ALL);
        host.hostPage(2048, false);
        assertThat(large(GVA + (1029L << 12))).isTrue();
        assertThat(Spte.pfn(spte(GVA + (1029L << 12)))).isEqualTo(1024 + FixtureHost.OFFSET);
        assertThat(large(GVA + (2050L << 12))).as("512 host pages").isFalse();
        assertThat(Spte.pfn(spte(GVA + (2050L << 12)))).isEqualTo(2050 + FixtureHost.OFFSET);
        assertThat(large(GVA + (100L << 12))).as("the root lies in the first 2 MiB").isFalse();
        assertThat(Spte.pfn(spte(GVA + (100L << 12)))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S10 when the last table inside is one no longer, the next fault maps the whole again")
    void tableGone() {
        start();
        tables.map(GVA, 512, 2, ALL);
        // Leaf tables in frames 600 and 601.
        for (int i = 1; i <= 2; i++) {
            tables.map(GVA + i * APART, 0, 1, 0);
            tables.entry(tables.entryGpa(GVA + i * APART, 2), 599L + i << 12 | P | W | U);
            tables.map(GVA + i * APART, 100, 1, ALL);
            access(GVA + i * APART, USER_READ);
        }
        assertThat(large(GVA)).isFalse();
        mmu.guestTableWritten((600L << 12) + 3, 2, host.clock());
        assertThat(large(GVA + 0x1000)).as("one table is left").isFalse();
        mmu.guestTableWritten((601L << 12) + 3, 2, host.clock());
        assertThat(large(GVA + 0x2000)).isTrue();
        assertThat(spte(GVA)).as("the pieces are gone").isEqualTo(spte(GVA + 0x2000));
    }

    @Test
    @DisplayName("S10 S23 when tracking inside ends, the next fault maps the whole again")
    void trackingEnded() {
        start();
        tables.map(GVA, 512, 2, ALL);
        WriteTracking.Request request = host.track(700, (gpa, bytes) -> {});
        assertThat(large(GVA)).isFalse();
        request.close();
        assertThat(large(GVA + 0x2000)).isTrue();
    }

    @Test
    @DisplayName("S10 a page that the host splits is mapped by 4 KiB, and whole once the host has made it one again")
    void hostPage() {
        start();
        tables.map(GVA, 512, 2, ALL);
        assertThat(large(GVA)).isTrue();
        host.hostPage(512, false);
        mmu.hostRangeChanged(512, 512, host.clock());
        assertThat(large(GVA)).isFalse();
        host.hostPage(512, true);
        mmu.hostRangeChanged(512, 512, host.clock());
        assertThat(large(GVA)).isTrue();
    }

    @Test
    @DisplayName("S10 S14 only what could be large is given up with the end of the dirty log; the sptes of a leaf table stay")
    void logEnded() {
        start();
        tables.map(GVA, 512, 2, ALL);
        tables.map(GVA + APART, 1024, 1, ALL);
        tables.map(GVA + 2 * APART, 1536, 2, ALL);
        host.hostPage(1536, false);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        for (int i = 0; i < 3; i++) {
            assertThat(large(GVA + i * APART)).isFalse();
        }
        host.logging(false);
        mmu.stopDirtyLog(host.clock());
        assertThat(spte(GVA)).isZero();
        assertThat(spte(GVA + APART)).isNotZero();
        assertThat(spte(GVA + 2 * APART)).isNotZero();
        assertThat(large(GVA)).isTrue();
    }

    @Test
    @DisplayName("S10 each half of a 4 MiB guest page has conditions of its own")
    void halves() {
        start(PagingMode.BITS_32);
        tables.map(0xc040_0000L, 1024, 2, ALL);
        host.hostPage(1536, false);
        assertThat(large(0xc040_0000L)).isTrue();
        assertThat(large(0xc060_0000L)).isFalse();
        host.hostPage(1536, true);
        WriteTracking.Request request = host.track(1030, (gpa, bytes) -> {});
        mmu.hostRangeChanged(1024, 1024, host.clock());
        assertThat(large(0xc040_0000L)).isFalse();
        assertThat(large(0xc060_0000L)).isTrue();
        request.close();
    }

    @Test
    @DisplayName("S10 with large pages switched off everything is mapped by 4 KiB")
    void off() {
        host.with(ShadowSettings.LARGE_PAGES, "off");
        start();
        tables.map(GVA, 512, 2, ALL);
        assertThat(large(GVA)).isFalse();
    }
}
