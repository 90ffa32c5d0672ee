package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.TranslationStatistics;

/** A functional TLB: one large level, no paging-structure caches, no nested TLB, and every rule of invalidation as with TLBs that are modelled. */
class FunctionalTlbTest {
    private static final long X = 0x40_0000_0000L;

    @Nested
    class Rules extends InvalidationRulesTest {
        @Override
        TestProfile profile() {
            return new TestProfile().functional();
        }
    }

    @Nested
    class Invalidations extends InvalidationTest {
        @Override
        TestProfile profile() {
            return new TestProfile().functional();
        }
    }

    @Nested
    class Vpids extends VpidTest {
        @Override
        TestProfile profile() {
            return new TestProfile().functional();
        }
    }

    @Test
    @DisplayName("T09 a functional TLB holds 4,096 pages beside one another, whatever the figures of TLBs say")
    void large() {
        Rig rig = new Rig(new TestProfile().array("tlb.data.small", 1, 1).functional());
        long root = rig.longMode();
        for (int round = 0; round < 2; round++) {
            for (int page = 0; page < 4096; page++) {
                if (round == 0) {
                    rig.map(root, X + page * 0x1000L, 0x5000, Rig.P | Rig.A);
                }
                rig.use(X + page * 0x1000L, Rig.SR);
            }
        }
        assertThat(rig.walks()).isEqualTo(4096);
    }

    @Test
    @DisplayName("T11 a stale translation of a functional TLB is used until it is invalidated, and INVLPG drops it and no other")
    void stale() {
        Rig rig = new Rig(new TestProfile().functional());
        long root = rig.longMode();
        for (long gva : new long[] {X, X + 0x1000}) {
            rig.map(root, gva, 0x5000, Rig.P);
            rig.use(gva, Rig.SR);
            rig.map(root, gva, 0x9000, Rig.P);
            assertThat(rig.use(gva, Rig.SR)).isEqualTo(0x5000);
        }
        rig.cpu.invlpg(X);
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x9000);
        assertThat(rig.use(X + 0x1000, Rig.SR)).isEqualTo(0x5000);
    }

    @Test
    @DisplayName("T11 on EPT a walk of a functional TLB finds each guest table anew, since no guest-physical mapping is cached")
    void noNestedMappings() {
        Rig rig = new Rig(new TestProfile().functional());
        long root = rig.longMode();
        rig.map(root, X, 0x5000, Rig.P | Rig.A);
        rig.map(root, X + 0x1000, 0x5000, Rig.P | Rig.A);
        rig.eptIdentity(rig.ept(0), 4 << 20, 1);
        rig.vmcs.vpid = 7;
        rig.enter();
        for (int page = 0; page < 2; page++) {
            TranslationStatistics before = rig.cpu.statistics();
            rig.use(X + page * 0x1000L, Rig.SR);
            TranslationStatistics after = rig.cpu.statistics();
            assertThat(after.guestReferences() - before.guestReferences()).isEqualTo(4);
            assertThat(after.hostReferences() - before.hostReferences()).isEqualTo(20);
        }
    }
}
