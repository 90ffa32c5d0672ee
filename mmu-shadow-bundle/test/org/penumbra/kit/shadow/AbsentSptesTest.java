package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.kit.ShadowPage;
import org.penumbra.testkit.fixture.FixtureHost;

/** Where a processor with L1TF would read ahead through sptes that it may not use. */
class AbsentSptesTest extends ShadowFixture {
    private static final long RESERVED = 1L << 51;

    @ParameterizedTest(name = "{0} address bits")
    @ValueSource(ints = {36, 39, 46})
    @DisplayName("S24 no spte that is not present names an address where memory is: it is frame 0, or has the top 5 address bits set")
    void nowhere(int bits) {
        host = new FixtureHost(factory, 1).withPhysicalAddressBits(bits);
        start();
        // Memory, devices at low and at high addresses, entries that came and went again, and frames that the host took back.
        for (int i = 0; i < 60; i++) {
            long device = i % 2 == 0 ? 5000 + i : (1L << bits - 12) - 1 - i;
            tables.map(GVA + 0x1000L * i, i % 3 == 0 ? device : 200 + i, 1, P | W | U | A | D);
            access(GVA + 0x1000L * i, USER_READ);
        }
        for (int i = 10; i < 20; i++) {
            emulatedStore(tables.entryGpa(GVA + 0x1000L * i, 1), 300L + i << 12);
        }
        mmu.hostRangeChanged(230, 10, host.clock());
        int devices = 0;
        int empty = 0;
        for (ShadowPage page : mmu.tree.pages.all()) {
            for (int i = 0; i < ShadowPage.ENTRIES; i++) {
                long spte = host.memory().load64(page.sptep(i));
                if ((spte & P) != 0 && (spte & RESERVED) == 0) {
                    continue;
                }
                long address = spte & (1L << bits) - 1 & -4096L;
                boolean top = address >>> bits - 5 == 31;
                assertThat(address == 0 || top).as("spte 0x%x", spte).isTrue();
                devices += top ? 1 : 0;
                empty += top ? 0 : 1;
            }
        }
        // 20 were made, and of those at 12, 15 and 18 the gpte went.
        assertThat(devices).isEqualTo(17);
        assertThat(empty).isGreaterThan(512);
    }
}
