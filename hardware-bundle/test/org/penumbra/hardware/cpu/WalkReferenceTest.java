package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;

/** Memory references of walks: (n + 1)(m + 1) − 1 for n guest and m host levels. */
class WalkReferenceTest {
    private static final long GVA = 0x40_0000_0000L;

    private final Rig bare = new Rig(TestProfile.bare());
    /** A walk through EPT warms EPT's own paging-structure caches for its next entry, so these stay off here. */
    private final Rig cached = new Rig(new TestProfile().withoutEptStructureCaches());

    @Test
    @DisplayName("T12 a 4-level walk takes 4 references, with empty caches and without caches")
    void oneDimension() {
        for (Rig rig : new Rig[] {bare, cached}) {
            long root = rig.longMode();
            rig.map(root, GVA, 0x5000, Rig.P);
            rig.use(GVA, Rig.SR);
            expect(rig, 4, 0);
        }
    }

    @Test
    @DisplayName("T12 a 2 MiB page takes 3 references, a 1 GiB page 2")
    void oneDimensionLarge() {
        long root = bare.longMode();
        bare.mapLarge(root, GVA, 0, Rig.P, 2);
        bare.use(GVA, Rig.SR);
        expect(bare, 3, 0);
        bare.mapLarge(root, GVA + (1L << 30), 0, Rig.P, 3);
        bare.use(GVA + (1L << 30), Rig.SR);
        expect(bare, 5, 0);
    }

    @Test
    @DisplayName("T12 a 4-level guest on 4-level EPT takes 24 references")
    void twoDimensions() {
        for (Rig rig : new Rig[] {bare, cached}) {
            guest(rig, 1, 1);
            expect(rig, 4, 20);
        }
    }

    @Test
    @DisplayName("T12 a 4 KiB guest on 2 MiB host leaves takes 19 references")
    void largeHost() {
        guest(bare, 1, 2);
        expect(bare, 4, 15);
    }

    @Test
    @DisplayName("T12 a 2 MiB guest on 2 MiB host leaves takes 15 references")
    void largeGuestLargeHost() {
        guest(bare, 2, 2);
        expect(bare, 3, 12);
    }

    @Test
    @DisplayName("T12 a 2 MiB guest on 4 KiB host leaves takes 19 references, a 1 GiB guest on 1 GiB host leaves 8")
    void otherMixtures() {
        guest(bare, 2, 1);
        expect(bare, 3, 16);
        Rig huge = new Rig(TestProfile.bare());
        guest(huge, 3, 3);
        expect(huge, 2, 6);
    }

    @Test
    @DisplayName("T10 the walk goes on from the lowest paging-structure-cache entry: 1, 2, 3 references instead of 4")
    void structureCaches() {
        Rig rig = new Rig();
        long root = rig.longMode();
        long[] pages = {GVA, GVA + 0x1000, GVA + 0x20_0000, GVA + 0x4000_0000L, GVA + 0x80_0000_0000L};
        long[] references = {4, 1, 2, 3, 4};
        for (long page : pages) {
            rig.map(root, page, 0x5000, Rig.P);
        }
        long total = 0;
        for (int i = 0; i < pages.length; i++) {
            rig.use(pages[i], Rig.SR);
            total += references[i];
            expect(rig, total, 0);
        }
    }

    @Test
    @DisplayName("T10 each paging-structure cache can be left out: without the PDE cache the neighbour takes 2 references")
    void withoutPdeCache() {
        Rig rig = new Rig(new TestProfile().array("paging-structure-cache.pde", 0, 1));
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P);
        rig.map(root, GVA + 0x1000, 0x6000, Rig.P);
        rig.use(GVA, Rig.SR);
        rig.use(GVA + 0x1000, Rig.SR);
        expect(rig, 6, 0);
    }

    @ParameterizedTest(name = "T10 searched from the root {0}: the neighbour of a page whose PML4E was evicted takes {1} references")
    @CsvSource({"0, 1", "1, 4"})
    void searchProcedure(long fromRoot, long references) {
        Rig rig = new Rig(new TestProfile().array("paging-structure-cache.pml4e", 1, 1).set("paging-structure-cache.from-root", fromRoot));
        long root = rig.longMode();
        for (long page : new long[] {GVA, GVA + 0x1000, GVA + 0x80_0000_0000L, GVA + 0x80_0000_1000L}) {
            rig.map(root, page, 0x5000, Rig.P);
        }
        rig.use(GVA, Rig.SR);
        rig.use(GVA + 0x80_0000_0000L, Rig.SR);
        expect(rig, 8, 0);
        rig.use(GVA + 0x80_0000_1000L, Rig.SR);
        expect(rig, 9, 0);
        rig.use(GVA + 0x1000, Rig.SR);
        expect(rig, 9 + references, 0);
    }

    @Test
    @DisplayName("T12 combined paging-structure-cache entries hold the hpa: the neighbour takes 1 guest and 4 host references")
    void combinedStructureCaches() {
        Rig rig = new Rig(new TestProfile().withoutEptStructureCaches().array("nested-tlb", 0, 1));
        guest(rig, 1, 1);
        expect(rig, 4, 20);
        rig.use(GVA + 0x1000, Rig.SR);
        expect(rig, 5, 24);
    }

    @Test
    @DisplayName("T12 the nested TLB saves the host walks to guest tables: 4 guest and 4 host references")
    void nestedTlb() {
        Rig rig = new Rig(new TestProfile().withoutStructureCaches().withoutEptStructureCaches());
        guest(rig, 1, 1);
        expect(rig, 4, 20);
        rig.use(GVA + 0x1000, Rig.SR);
        expect(rig, 8, 24);
    }

    @Test
    @DisplayName("T12 paging-structure caches for guest-physical mappings: after the first host walk of 4 the others take 1")
    void eptStructureCaches() {
        Rig rig = new Rig();
        guest(rig, 1, 1);
        expect(rig, 4, 4 + 4 * 1);
        rig.use(GVA + 0x1000, Rig.SR);
        expect(rig, 5, 8 + 1);
    }

    @Test
    @DisplayName("T15 a cold nested walk reads lines from memory; after INVEPT the same 24 references are served by the L1, each priced as such")
    void dataCaches() {
        TestProfile profile = TestProfile.bare().set("data-cache.model", 1).set("data-cache.llc.victim", 0).set("walk.reference.memory", 100);
        for (String cache : List.of("l1", "l2", "llc")) {
            profile.set("data-cache." + cache + ".bytes", 32 << 10).set("data-cache." + cache + ".ways", 8);
        }
        Rig rig = new Rig(profile);
        guest(rig, 1, 1);
        CycleClock cycles = rig.cpu.cycles();
        long cold = cycles.events(Work.WALK_MEMORY);
        assertThat(cold).isPositive();
        assertThat(cycles.events(Work.WALK_L1)).isEqualTo(24 - cold);
        assertThat(cycles.cycles(Work.WALK_MEMORY)).isEqualTo(100 * cold);
        assertThat(cycles.events(Work.WALK_REFERENCE)).isZero();
        rig.cpu.inveptAll();
        rig.use(GVA, Rig.SR);
        assertThat(cycles.events(Work.WALK_MEMORY)).isEqualTo(cold);
        assertThat(cycles.events(Work.WALK_L1)).isEqualTo(48 - cold);
    }

    /** A guest in VMX non-root operation that has made one cold access to a page of {@code guestLevel}. */
    private static void guest(Rig rig, int guestLevel, int hostLevel) {
        long root = rig.longMode();
        if (guestLevel == 1) {
            rig.map(root, GVA, 0x5000, Rig.P);
            rig.map(root, GVA + 0x1000, 0x6000, Rig.P);
        } else {
            rig.mapLarge(root, GVA, 0, Rig.P, guestLevel);
        }
        rig.eptIdentity(rig.ept(0), hostLevel == 3 ? 1L << 30 : 16 << 20, hostLevel);
        rig.enter();
        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(guestLevel == 1 ? 0x5000 : 0);
    }

    private static void expect(Rig rig, long guest, long host) {
        assertThat(rig.cpu.statistics().guestReferences()).as("guest references").isEqualTo(guest);
        assertThat(rig.cpu.statistics().hostReferences()).as("host references").isEqualTo(host);
        assertThat(rig.cpu.statistics().completedReferences()).isEqualTo(guest + host);
        assertThat(rig.cpu.cycles().events(Work.WALK_REFERENCE)).isEqualTo(guest + host);
    }
}
