package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.kit.MmuLock;
import org.penumbra.testkit.fixture.FixtureHost;

/** What is done under the lock held shared, by compare-and-set, and what is not. */
class ShadowLockTest extends ShadowFixture {
    private static final long PAGE = 0x5000;

    private void unpaged(int hostLevel) {
        host = new FixtureHost(factory, hostLevel);
        start(PagingMode.NONE);
    }

    @Test
    @DisplayName("S15 in a direct shadow page a write that only the dirty log withheld is given by one compare-and-set, and logged")
    void fast() {
        unpaged(1);
        access(PAGE, Access.WRITE);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        assertThat(Spte.writable(spte(PAGE))).isFalse();
        assertThat(access(PAGE, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("pf_fast")).isEqualTo(1);
        assertThat(Spte.writable(spte(PAGE))).isTrue();
        assertThat(host.takeDirty()).containsExactly(PAGE >>> 12);
        mmu.rearmDirty(PAGE >>> 12, host.clock());
        access(PAGE, Access.WRITE);
        assertThat(host.count("pf_fast")).as("and again after a harvest").isEqualTo(2);
        assertThat(host.takeDirty()).containsExactly(PAGE >>> 12);
    }

    @Test
    @DisplayName("S15 not so where somebody tracks the frame: the write is emulated")
    void trackedIsNotFast() {
        unpaged(1);
        access(PAGE, Access.READ);
        host.track(PAGE >>> 12, (gpa, bytes) -> {});
        mmu.writeProtect(PAGE >>> 12, host.clock());
        assertThat(access(PAGE, Access.WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(host.count("pf_fast")).isZero();
        assertThat(Spte.writable(spte(PAGE))).isFalse();
    }

    @Test
    @DisplayName("S15 a large page never becomes writable fast while there is a log: one mark would stand for 512 frames")
    void largeIsNotFast() {
        unpaged(2);
        access(0x20_5000, Access.WRITE);
        assertThat(spte(0x20_5000) & Spte.LARGE).isNotZero();
        host.logging(true);
        // Without startDirtyLog, which drops large sptes, as when the log begins with all frames in it.
        mmu.rearmDirty(0x205, host.clock());
        access(0x20_5000, Access.WRITE);
        assertThat(host.count("pf_fast")).isZero();
        assertThat(spte(0x20_5000) & Spte.LARGE).isZero();
        assertThat(host.takeDirty()).containsExactly(0x205L);
    }

    @Test
    @DisplayName("S15 an indirect shadow page takes the walk, since the gpte may say something else by now")
    void indirectIsNotFast() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        access(GVA, USER_WRITE);
        host.logging(true);
        mmu.startDirtyLog(host.clock());
        // The leaf table goes unsync, and the guest takes the right away without a flush yet.
        tables.map(GVA + 0x1000, tables.entryGpa(GVA, 1) >>> 12, 1, P | W | U | A | D);
        access(GVA + 0x1000, USER_WRITE);
        tables.entry(tables.entryGpa(GVA, 1), 101L << 12 | P | W | U | A | D);
        assertThat(access(GVA, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(host.count("pf_fast")).isZero();
        assertThat(Spte.pfn(spte(GVA))).as("the frame of now").isEqualTo(101 + FixtureHost.OFFSET);
        assertThat(host.takeDirty()).contains(101L).doesNotContain(100L);
    }

    @Test
    @DisplayName("S22 a fault that only fills a leaf is served while another vCPU holds the lock for its own; one that needs a new table waits")
    void parallel() throws InterruptedException {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, 101, 1, P | W | U | A | D);
        tables.map(GVA + 0x20_0000, 102, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        MmuLock.Share other = mmu.lock.newShare();
        Thread waits;
        try (MmuLock.Held held = other.shared()) {
            assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
            assertThat(spte(GVA + 0x1000)).isNotZero();
            CountDownLatch done = new CountDownLatch(1);
            waits = new Thread(() -> {
                access(GVA + 0x20_0000, USER_READ);
                done.countDown();
            });
            waits.start();
            assertThat(done.await(50, TimeUnit.MILLISECONDS)).as("needs the lock alone").isFalse();
        }
        waits.join();
        assertThat(spte(GVA + 0x20_0000)).isNotZero();
    }

    @Test
    @DisplayName("S18 a host event between the lookup of the frame and the leaf turns the fault back, under the shared lock too")
    void raced() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, 101, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        host.afterLookup(() -> {
            host.hostEvent();
            mmu.hostRangeChanged(101, 1, host.clock());
        });
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA + 0x1000)).isZero();
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA + 0x1000)).isNotZero();
    }

    @Test
    @DisplayName("S18 a gpte that changes between the walk and the leaf is not mapped as it was, and a table that another vCPU zapped is not filled")
    void staleGpte() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, 101, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        host.afterLookup(() -> emulatedStore(tables.entryGpa(GVA + 0x1000, 1), 102L << 12 | P | W | U | A | D));
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA + 0x1000)).isZero();
        host.afterLookup(() -> mmu.slotsChanged(0, 4096, host.clock()));
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA + 0x1000)).isZero();
        assertThat(access(GVA + 0x1000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(GVA + 0x1000))).isEqualTo(102 + FixtureHost.OFFSET);
    }

    @Test
    @DisplayName("S22 two vCPUs have an MMU lock each for faults, and a context that comes later has one too")
    void shares() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        MmuContext second = mmu.newContext(host);
        second.load(state, false);
        second.root();
        access(GVA, USER_READ);
        assertThat(second.root()).isEqualTo(context.root());
    }
}
