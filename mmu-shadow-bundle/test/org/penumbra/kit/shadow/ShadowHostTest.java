package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.testkit.fixture.FixtureHost;

/** What the host does to the frames that sptes map: events, sharing, tracking, the dirty log. */
class ShadowHostTest extends ShadowFixture {
    @Test
    @DisplayName("S23 a tracked frame has no large spte made over it, and one that was there is not made writable again")
    void trackedInLargePage() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 512, 2, P | W | U | A | D);
        access(GVA, USER_WRITE);
        assertThat(spte(GVA) & Spte.LARGE).isNotZero();
        host.track(517, (gpa, bytes) -> {});
        mmu.writeProtect(517, host.clock());
        access(GVA + 0x3000, USER_WRITE);
        assertThat(Spte.writable(spte(GVA + 0x3000))).isTrue();
        access(GVA + 0x5000, USER_READ);
        assertThat(Spte.writable(spte(GVA + 0x5000))).isFalse();
    }

    @Test
    @DisplayName("S18 a host event between looking the frame up and mapping it turns the fault back")
    void raced() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        host.afterLookup(() -> {
            host.hostEvent();
            mmu.hostRangeChanged(100, 1, host.clock());
        });
        assertThat(access(GVA, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA)).as("nothing stale was mapped").isZero();
        access(GVA, USER_READ);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S18 a host event drops every spte of the frame by the reverse map, large ones whole, and flushes")
    void hostEvent() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 512, 2, P | W | U);
        tables.map(GVA + 0x20_0000, 600, 1, P | W | U);
        tables.map(GVA + 0x20_1000, 600, 1, P | U);
        access(GVA, USER_READ);
        access(GVA + 0x20_0000, USER_READ);
        access(GVA + 0x20_1000, USER_READ);
        host.takeFlushes();
        mmu.hostRangeChanged(600, 1, host.clock());
        assertThat(host.takeFlushes()).isPositive();
        assertThat(spte(GVA + 0x20_0000)).isZero();
        assertThat(spte(GVA + 0x20_1000)).isZero();
        assertThat(spte(GVA)).as("the large spte maps the same frame").isZero();
        mmu.hostRangeChanged(600, 1, host.clock());
        assertThat(host.takeFlushes()).as("nothing was mapped").isZero();
    }

    @Test
    @DisplayName("H03 a frame that the host shares is mapped read-only until a write has given the guest its own")
    void shared() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        host.share(100);
        access(GVA, USER_READ);
        assertThat(Spte.writable(spte(GVA))).isFalse();
        assertThat(access(GVA, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.writable(spte(GVA))).isTrue();
    }

    @Test
    @DisplayName("S14 a write is noticed by write protection: once after each harvest, never by a read, and a large spte is given up")
    void dirtyLog() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 512, 2, P | W | U | A | D);
        access(GVA, USER_WRITE);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        assertThat(spte(GVA)).as("the large spte").isZero();
        access(GVA + 0x3000, USER_READ);
        assertThat(Spte.writable(spte(GVA + 0x3000))).isFalse();
        assertThat(host.takeDirty()).isEmpty();
        access(GVA + 0x3000, USER_WRITE);
        assertThat(Spte.writable(spte(GVA + 0x3000))).isTrue();
        assertThat(host.takeDirty()).containsExactly(515L);
        mmu.rearmDirty(515, host.clock());
        assertThat(Spte.writable(spte(GVA + 0x3000))).isFalse();
        host.logging(false);
        mmu.stopDirtyLog(host.clock());
        access(GVA + 0x3000, USER_WRITE);
        assertThat(host.takeDirty()).isEmpty();
    }
}
