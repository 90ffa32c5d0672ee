package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.paging.PagingState;

/** SDM vol. 3, "Caches for Paging Structures": what one walk leaves for the next, level by level, and how it is searched. */
class StructureCacheTest {
    private static final long GPA = 0x5000;

    /** References of walks to pages 4 KiB, 2 MiB (4 MiB), 1 GiB, 512 GiB and 256 TiB away from one that was just walked to. */
    @ParameterizedTest(name = "T10 {0}: references of the first walk, and then of one that shares all but 1, 2, … levels: {1}")
    @CsvSource({"BITS_32, 2 1 2", "PAE, 2 1 2 2", "FOUR_LEVEL, 4 1 2 3 4", "FIVE_LEVEL, 5 1 2 3 4 5"})
    void sharedLevels(Layout layout, String references) {
        String[] expected = references.split(" ");
        for (int shared = 0; shared < expected.length; shared++) {
            Rig rig = new Rig();
            long root = rig.paging(layout);
            long gva = layout.address();
            long other = shared == 0 ? gva : gva ^ 1L << (shared <= layout.levels() ? layout.shift(shared) : 56);
            rig.put(root, gva, 1, GPA | 7);
            rig.put(root, other, 1, GPA | 7);
            if (layout == Layout.PAE) {
                rig.pdptes();
            }
            rig.use(gva, Rig.SR);
            long before = rig.cpu.statistics().guestReferences();
            assertThat(before).isEqualTo(Integer.parseInt(expected[0]));
            if (shared > 0) {
                rig.use(other, Rig.SR);
                assertThat(rig.cpu.statistics().guestReferences() - before).as("shares all but %d levels", shared)
                        .isEqualTo(Integer.parseInt(expected[shared]));
            }
        }
    }

    @ParameterizedTest(name = "T10 {0}: without the cache of level {1} the walk goes on from the next level above")
    @CsvSource({"FOUR_LEVEL, 2, pde, 2", "FOUR_LEVEL, 3, pdpte, 3", "FOUR_LEVEL, 4, pml4e, 4", "FIVE_LEVEL, 4, pml4e, 4",
        "FIVE_LEVEL, 5, pml5e, 5", "BITS_32, 2, pde, 2", "PAE, 2, pde, 2"})
    void withoutLevel(Layout layout, int level, String name, int references) {
        Rig rig = new Rig(new TestProfile().array("paging-structure-cache." + name, 0, 1));
        long root = rig.paging(layout);
        long gva = layout.address();
        // Shares nothing below the level that is not cached.
        long other = gva ^ 1L << layout.shift(level - 1);
        rig.put(root, gva, 1, GPA | 7);
        rig.put(root, other, 1, GPA | 7);
        if (layout == Layout.PAE) {
            rig.pdptes();
        }
        rig.use(gva, Rig.SR);
        long before = rig.cpu.statistics().guestReferences();
        rig.use(other, Rig.SR);
        assertThat(rig.cpu.statistics().guestReferences() - before).isEqualTo(references);
    }

    @ParameterizedTest(name = "T10 search from the root: {0}: after the PML4E is evicted the walk takes {1} references")
    @CsvSource({"0, 1", "1, 4"})
    void searchProcedure(int fromRoot, int references) {
        Rig rig = new Rig(new TestProfile().array("paging-structure-cache.pml4e", 1, 1).set("paging-structure-cache.from-root", fromRoot));
        long root = rig.longMode();
        long gva = 0x40_0000_0000L;
        rig.map(root, gva, GPA, Rig.P);
        rig.map(root, gva + 0x1000, GPA, Rig.P);
        rig.map(root, gva + (1L << 39), GPA, Rig.P);
        rig.use(gva, Rig.SR);
        rig.use(gva + (1L << 39), Rig.SR);
        long before = rig.cpu.statistics().guestReferences();
        rig.use(gva + 0x1000, Rig.SR);
        assertThat(rig.cpu.statistics().guestReferences() - before).isEqualTo(references);
    }

    @ParameterizedTest(name = "T10 {0}: what an entry of each level allowed when it was cached goes for the pages below it")
    @EnumSource(Layout.class)
    void rightsOfCachedEntries(Layout layout) {
        for (int level = 2; level <= layout.levels(); level++) {
            if (layout == Layout.PAE && level == 3) {
                continue;
            }
            Rig rig = new Rig();
            long root = rig.paging(layout);
            long gva = layout.address();
            rig.put(root, gva, 1, GPA | 7);
            rig.put(root, gva + 0x1000, 1, GPA | 7);
            long entry = rig.get(root, gva, level);
            rig.put(root, gva, level, entry & ~2);
            if (layout == Layout.PAE) {
                rig.pdptes();
            }
            assertThat(rig.use(gva, Rig.UR)).isEqualTo(GPA);
            rig.put(root, gva, level, entry);
            // Served by the PDE cache, which says that writes are not allowed: a spurious fault that software has to expect.
            rig.expectFault(gva + 0x1000, Rig.UW, 7);
            assertThat(rig.use(gva + 0x1000, Rig.UW)).as("the fault dropped it").isEqualTo(GPA);
        }
    }

    @Test
    @DisplayName("T10 an entry whose accessed flag was set by the walk is cached as accessed: the next walk writes only what is below")
    void accessedOnce() {
        Rig rig = new Rig();
        long root = rig.longMode();
        long gva = 0x40_0000_0000L;
        rig.map(root, gva, GPA, Rig.P);
        rig.map(root, gva + 0x1000, GPA, Rig.P);
        rig.use(gva, Rig.SR);
        long pde = rig.slot(root, gva, 2);
        rig.memory.store64(pde, rig.memory.load64(pde) & ~Rig.A);
        rig.use(gva + 0x1000, Rig.SR);
        assertThat(rig.memory.load64(pde) & Rig.A).as("cleared without an invalidation").isZero();
        assertThat(rig.entry(root, gva + 0x1000, 1) & Rig.A).isEqualTo(Rig.A);
    }

    @Test
    @DisplayName("T10 the PDPTEs that nested paging reads on demand are cached as paging-structure-cache entries")
    void onDemandPdptes() {
        Rig rig = new Rig(new TestProfile().array("paging-structure-cache.pde", 0, 1));
        long root = rig.paging(Layout.PAE);
        long gva = Layout.PAE.address();
        rig.put(root, gva, 1, GPA | 7);
        rig.put(root, gva ^ 1 << 21, 1, GPA | 7);
        rig.nptIdentity(rig.npt(Layout.FOUR_LEVEL), 4 << 20, 1);
        rig.vmrun();
        rig.use(gva, Rig.SR);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(3);
        rig.use(gva ^ 1 << 21, Rig.SR);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(3 + 2);
    }

    /** (n + 1)(m + 1) − 1 for n guest and m host levels; of PAE with its PDPTEs in registers n is 2. */
    @ParameterizedTest(name = "T12 a {0} guest on EPT of {1} levels takes {2} references")
    @CsvSource({"FOUR_LEVEL, 4, 24", "FOUR_LEVEL, 5, 29", "FIVE_LEVEL, 4, 29", "FIVE_LEVEL, 5, 35", "PAE, 4, 14", "BITS_32, 4, 14",
        "BITS_32, 5, 17"})
    void twoDimensions(Layout layout, int hostLevels, int references) {
        Rig rig = new Rig(TestProfile.bare());
        long root = rig.paging(layout);
        rig.put(root, layout.address(), 1, GPA | 7);
        if (layout == Layout.PAE) {
            rig.pdptes();
        }
        rig.eptIdentity(rig.ept(0, hostLevels), 4 << 20, 1);
        rig.enter();
        assertThat(rig.use(layout.address(), Rig.SR)).isEqualTo(GPA);
        assertThat(rig.cpu.statistics().completedReferences()).isEqualTo(references);
        assertThat(rig.cpu.statistics().referencesPerWalk()).isEqualTo(references);
    }

    @ParameterizedTest(name = "T12 a {0} guest on {1} nested tables takes {2} references")
    @CsvSource({"FOUR_LEVEL, FOUR_LEVEL, 24", "FIVE_LEVEL, FIVE_LEVEL, 35", "PAE, FOUR_LEVEL, 19", "PAE, PAE, 15", "BITS_32, BITS_32, 8",
        "FOUR_LEVEL, BITS_32, 14"})
    void nested(Layout layout, Layout host, int references) {
        Rig rig = new Rig(TestProfile.bare());
        long root = rig.paging(layout);
        rig.put(root, layout.address(), 1, GPA | 7);
        rig.nptIdentity(rig.npt(host), 4 << 20, 1);
        rig.vmrun();
        assertThat(rig.use(layout.address(), Rig.SR)).isEqualTo(GPA);
        assertThat(rig.cpu.statistics().completedReferences()).isEqualTo(references);
    }

    @ParameterizedTest(name = "T12 native {0}: {1} references for 4 KiB, one less for each size above")
    @CsvSource({"BITS_32, 2", "PAE, 2", "FOUR_LEVEL, 4", "FIVE_LEVEL, 5"})
    void oneDimension(Layout layout, int references) {
        for (int level = 1; level <= layout.largest(); level++) {
            Rig rig = new Rig(TestProfile.bare());
            long root = rig.paging(layout);
            rig.cr4(1 << 4);
            rig.put(root, layout.address(), level, 7 | (level > 1 ? 0x80 : 0));
            if (layout == Layout.PAE) {
                rig.pdptes();
            }
            rig.use(layout.address(), Rig.SR);
            assertThat(rig.cpu.statistics().guestReferences()).as("level %d", level).isEqualTo(references + 1 - level);
        }
    }

    @Test
    @DisplayName("T12 without guest paging EPT alone is walked: 4 references, and the cached translation spares them")
    void unpagedOnEpt() {
        Rig rig = new Rig(TestProfile.bare());
        rig.registers.paging = new PagingState(1, 0, 0, 0, 0, 0);
        rig.vmcs.unrestrictedGuest = true;
        rig.vmcs.vpid = 1;
        rig.eptIdentity(rig.ept(0), 4 << 20, 1);
        rig.enter();
        rig.use(GPA, Rig.SR);
        assertThat(rig.cpu.statistics().hostReferences()).isEqualTo(4);
        rig.use(GPA + 8, Rig.SW);
        assertThat(rig.cpu.statistics().hostReferences()).isEqualTo(4);
    }

    @Test
    @DisplayName("T12 with every cache on: the second walk of the same region takes one guest and one host reference")
    void everythingCached() {
        Rig rig = new Rig();
        long root = rig.paging(Layout.FIVE_LEVEL);
        long gva = Layout.FIVE_LEVEL.address();
        rig.put(root, gva, 1, GPA | 7);
        rig.put(root, gva + 0x1000, 1, GPA + 0x1000 | 7);
        rig.eptIdentity(rig.ept(0, 5), 4 << 20, 1);
        rig.enter();
        rig.use(gva, Rig.SR);
        long guest = rig.cpu.statistics().guestReferences();
        long host = rig.cpu.statistics().hostReferences();
        assertThat(guest).isEqualTo(5);
        assertThat(host).as("5 for the first entry, then one each").isEqualTo(5 + 5);
        rig.use(gva + 0x1000, Rig.SR);
        assertThat(rig.cpu.statistics().guestReferences() - guest).isEqualTo(1);
        assertThat(rig.cpu.statistics().hostReferences() - host).isEqualTo(1);
    }
}
