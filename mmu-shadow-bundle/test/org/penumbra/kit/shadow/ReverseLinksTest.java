package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.kit.ShadowPage;
import org.penumbra.testkit.fixture.FixtureHost;

/** From frames to the sptes that map them, and from shadow pages to the sptes that point at them. */
class ReverseLinksTest extends ShadowFixture {
    private static final long APART = 2 << 20;

    @Test
    @DisplayName("S06 every spte of a frame is found, be it one or many, and none that is gone")
    void sptesOfFrame() {
        start();
        for (int i = 0; i < 3; i++) {
            tables.map(GVA + i * APART, 100, 1, P | W | U | A | D);
            access(GVA + i * APART, USER_READ);
            assertThat(mmu.tree.rmap.of(100, 1, host.clock()).size()).isEqualTo(i + 1);
        }
        emulatedStore(tables.entryGpa(GVA + APART, 1), 0);
        assertThat(mmu.tree.rmap.of(100, 1, host.clock()).size()).isEqualTo(2);
        mmu.hostRangeChanged(100, 1, host.clock());
        assertThat(mmu.tree.rmap.of(100, 1, host.clock()).size()).isZero();
        for (int i = 0; i < 3; i++) {
            assertThat(spte(GVA + i * APART)).isZero();
        }
    }

    @Test
    @DisplayName("S06 a shadow page knows every entry that points at it, and takes all of them along when it is zapped")
    void parents() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        long table = tables.entryGpa(GVA, 1) >>> 12;
        tables.map(GVA + APART, 0, 2, 0);
        tables.entry(tables.entryGpa(GVA + APART, 2), table << 12 | P | W | U);
        access(GVA, USER_READ);
        access(GVA + APART, USER_READ);
        ShadowPage page = mmu.tree.pages.shadowing(table, host.clock()).get(0);
        assertThat(page.parents.size()).isEqualTo(2);
        emulatedStore(tables.entryGpa(GVA + APART, 2), 0);
        assertThat(page.parents.size()).isEqualTo(1);
        assertThat(spte(GVA)).isNotZero();
        emulatedStore(tables.entryGpa(GVA + APART, 2), table << 12 | P | W | U);
        access(GVA + APART, USER_READ);
        long frames = host.frames();
        mmu.guestTableWritten((table << 12) + 3, 2, host.clock());
        assertThat(spte(GVA)).isZero();
        assertThat(spte(GVA + APART)).isZero();
        assertThat(host.frames()).isEqualTo(frames - 1);
        access(GVA, USER_READ);
        assertThat(Spte.pfn(spte(GVA))).isEqualTo(100 + FixtureHost.OFFSET);
    }
}
