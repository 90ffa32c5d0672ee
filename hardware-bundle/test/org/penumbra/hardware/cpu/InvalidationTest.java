package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR0_WP;
import static org.penumbra.api.paging.ControlBits.CR3_NO_FLUSH;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.CR4_SMAP;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * What each event drops and what it keeps: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches". A page is
 * remapped behind the processor's back; whoever still sees the old frame has it cached.
 */
class InvalidationTest {
    private static final long X = 0x40_0000_0000L;
    private static final long Y = X + 0x1000;
    private static final long GLOBAL = X + 0x2000;
    private static final long OLD = 0x5000;
    private static final long NEW = 0x9000;

    private Rig rig;
    private long root;

    TestProfile profile() {
        return new TestProfile();
    }

    @BeforeEach
    void machine() {
        rig = new Rig(profile());
        root = rig.longMode();
        rig.cr4(CR4_PGE);
        rig.map(root, X, OLD, Rig.P | Rig.W | Rig.U);
        rig.map(root, Y, OLD, Rig.P | Rig.W | Rig.U);
        rig.map(root, GLOBAL, OLD, Rig.P | Rig.W | Rig.U | Rig.G);
    }

    /** Caches all three pages, then gives each another frame in memory. */
    private void cacheThenRemap() {
        for (long gva : new long[] {X, Y, GLOBAL}) {
            assertThat(rig.use(gva, Rig.SR)).isEqualTo(OLD);
            assertThat(rig.use(gva, Rig.SF)).isEqualTo(OLD);
            rig.map(root, gva, NEW, Rig.P | Rig.W | Rig.U | (gva == GLOBAL ? Rig.G : 0));
        }
    }

    private void expect(String what, long gva, long frame) {
        assertThat(rig.use(gva, Rig.SR)).as("%s, data", what).isEqualTo(frame);
        assertThat(rig.use(gva, Rig.SF)).as("%s, instruction", what).isEqualTo(frame);
    }

    @Test
    @DisplayName("T11 without an invalidation the stale translation is used, in both levels")
    void stale() {
        assumeTrue(profile().modelsTlbs(), "there is one level, and there are no paging-structure caches");
        cacheThenRemap();
        expect("X", X, OLD);
        Rig small = rig = new Rig(new TestProfile().array("tlb.data.small", 1, 1).array("tlb.instruction.small", 1, 1));
        root = small.longMode();
        rig.map(root, X, OLD, Rig.P);
        rig.map(root, Y, OLD, Rig.P);
        rig.use(X, Rig.SR);
        rig.use(Y, Rig.SR);
        rig.map(root, X, NEW, Rig.P);
        assertThat(rig.use(X, Rig.SR)).as("only the second level has it").isEqualTo(OLD);
        assertThat(rig.cpu.statistics().secondLevelHits()).isEqualTo(1);
    }

    @Test
    @DisplayName("T11 INVLPG drops the page and no other")
    void invlpg() {
        cacheThenRemap();
        rig.cpu.invlpg(X + 0x678);
        expect("X", X, NEW);
        expect("Y", Y, OLD);
        expect("global", GLOBAL, OLD);
    }

    @Test
    @DisplayName("T11 INVLPG drops a global page")
    void invlpgGlobal() {
        cacheThenRemap();
        rig.cpu.invlpg(GLOBAL);
        expect("global", GLOBAL, NEW);
        expect("X", X, OLD);
    }

    @Test
    @DisplayName("T11 INVLPG of any address of a 2 MiB page drops it")
    void invlpgLarge() {
        rig.mapLarge(root, 0x8000_0000L, 0x20_0000, Rig.P, 2);
        rig.use(0x8000_0000L, Rig.SR);
        rig.mapLarge(root, 0x8000_0000L, 0x40_0000, Rig.P, 2);
        assertThat(rig.use(0x8000_5000L, Rig.SR)).isEqualTo(0x20_5000);
        rig.cpu.invlpg(0x801f_f000L);
        assertThat(rig.use(0x8000_5000L, Rig.SR)).isEqualTo(0x40_5000);
    }

    @Test
    @DisplayName("T11 INVLPG of one address drops every 2 MiB piece of a 1 GiB page")
    void invlpgPieces() {
        rig.mapLarge(root, 0x4000_0000L, 0x4000_0000L, Rig.P, 3);
        rig.use(0x4000_0000L, Rig.SR);
        rig.use(0x4060_0000L, Rig.SR);
        rig.mapLarge(root, 0x4000_0000L, 0x8000_0000L, Rig.P, 3);
        rig.cpu.invlpg(0x7fff_f000L);
        assertThat(rig.use(0x4060_0000L, Rig.SR)).isEqualTo(0x8060_0000L);
        assertThat(rig.use(0x4000_0000L, Rig.SR)).isEqualTo(0x8000_0000L);
    }

    /** Gives the page table of X a new, empty successor, with the PTE of another page in it. */
    private void moveTable(long gva, long frame) {
        long table = rig.frame();
        rig.memory.store64(table + (gva >>> 12 & 511) * 8, frame | Rig.P);
        rig.memory.store64(rig.slot(root, gva, 2), table | Rig.P | Rig.W | Rig.U);
    }

    @Test
    @DisplayName("T11 INVLPG drops all paging-structure-cache entries of the PCID, whatever its address")
    void invlpgStructures() {
        assumeTrue(profile().modelsTlbs(), "there is one level, and there are no paging-structure caches");
        rig.use(X, Rig.SR);
        moveTable(Y, NEW);
        assertThat(rig.use(Y, Rig.SR)).as("through the stale PDE-cache entry").isEqualTo(OLD);
        rig.cpu.invlpg(Y);
        assertThat(rig.use(Y, Rig.SR)).isEqualTo(NEW);

        moveTable(X, NEW + 0x1000);
        rig.cpu.invlpg(0x7000_0000_0000L);
        rig.cpu.invlpg(X);
        assertThat(rig.use(X, Rig.SR)).isEqualTo(NEW + 0x1000);

        long far = 0x60_0000_0000L;
        rig.map(root, far, OLD, Rig.P);
        rig.map(root, far + 0x1000, OLD, Rig.P);
        rig.use(far, Rig.SR);
        moveTable(far + 0x1000, NEW);
        rig.cpu.invlpg(X);
        assertThat(rig.use(far + 0x1000, Rig.SR)).as("INVLPG of X dropped the PDE-cache entry of far").isEqualTo(NEW);
    }

    @Test
    @DisplayName("T11 MOV to CR3 drops all but global translations, and the paging-structure caches")
    void movCr3() {
        cacheThenRemap();
        assertThat(rig.cpu.movToCr3(root)).isZero();
        expect("X", X, NEW);
        expect("Y", Y, NEW);
        expect("global", GLOBAL, OLD);
        rig.map(root, X + 0x3000, OLD, Rig.P);
        moveTable(X + 0x3000, NEW + 0x2000);
        rig.cpu.movToCr3(root);
        assertThat(rig.use(X + 0x3000, Rig.SR)).isEqualTo(NEW + 0x2000);
    }

    @Test
    @DisplayName("T11 paging-structure-cache entries are never global: MOV to CR3 drops those that only a global page left")
    void movCr3StructuresOfGlobals() {
        rig.use(GLOBAL, Rig.SR);
        moveTable(GLOBAL + 0x1000, NEW);
        rig.cpu.movToCr3(root);
        assertThat(rig.use(GLOBAL + 0x1000, Rig.SR)).isEqualTo(NEW);
    }

    @Test
    @DisplayName("T11 with CR4.PGE = 0 the G flag means nothing: MOV to CR3 drops the page")
    void noGlobals() {
        rig = new Rig(profile());
        root = rig.longMode();
        rig.map(root, GLOBAL, OLD, Rig.P | Rig.G);
        rig.use(GLOBAL, Rig.SR);
        rig.map(root, GLOBAL, NEW, Rig.P | Rig.G);
        rig.cpu.movToCr3(root);
        assertThat(rig.use(GLOBAL, Rig.SR)).isEqualTo(NEW);
    }

    @Test
    @DisplayName("T09 PCIDs keep translations apart, and global ones are shared")
    void pcids() {
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PCIDE);
        long other = rig.frame();
        rig.map(other, X, 0x7000, Rig.P);
        cacheThenRemap();
        assertThat(rig.cpu.movToCr3(other | 1)).isZero();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(0x7000);
        expect("global", GLOBAL, OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR3 with bit 63 keeps the PCID's entries; without it drops them and no other PCID's")
    void pcidNoFlush() {
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PCIDE);
        long other = rig.frame();
        rig.map(other, X, 0x7000, Rig.P);
        cacheThenRemap();
        rig.cpu.movToCr3(other | 1);
        rig.use(X, Rig.SR);
        rig.map(other, X, 0x8000, Rig.P);
        assertThat(rig.cpu.movToCr3(root | CR3_NO_FLUSH)).isZero();
        assertThat(rig.registers.paging.cr3()).as("bit 63 is not stored").isEqualTo(root);
        expect("X of PCID 0", X, OLD);
        rig.cpu.movToCr3(other | 1 | CR3_NO_FLUSH);
        assertThat(rig.use(X, Rig.SR)).as("PCID 1 was kept").isEqualTo(0x7000);
        rig.cpu.movToCr3(other | 1);
        assertThat(rig.use(X, Rig.SR)).as("PCID 1 was dropped").isEqualTo(0x8000);
        rig.cpu.movToCr3(root | CR3_NO_FLUSH);
        expect("X of PCID 0 survives the flush of PCID 1", X, OLD);
        rig.cpu.movToCr3(root);
        expect("X of PCID 0", X, NEW);
        expect("global", GLOBAL, OLD);
    }

    @Test
    @DisplayName("T11 INVLPG reaches the current PCID only, and paging-structure caches of the current PCID only")
    void invlpgPcid() {
        assumeTrue(profile().modelsTlbs(), "there is one level, and there are no paging-structure caches");
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PCIDE);
        cacheThenRemap();
        rig.cpu.movToCr3(root | 1);
        rig.cpu.invlpg(X);
        rig.cpu.movToCr3(root | CR3_NO_FLUSH);
        expect("X of PCID 0", X, OLD);
        long later = X + 0x5000;
        rig.map(root, later, OLD, Rig.P);
        moveTable(later, NEW);
        assertThat(rig.use(later, Rig.SR)).as("stale PDE-cache entry of PCID 0").isEqualTo(OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that changes PGE drops globals too")
    void movCr4Pge() {
        cacheThenRemap();
        assertThat(rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_PGE)).isZero();
        expect("X", X, NEW);
        expect("global", GLOBAL, NEW);
        rig.map(root, GLOBAL, OLD, Rig.P | Rig.G);
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PGE);
        expect("global", GLOBAL, OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that clears PCIDE drops everything of every PCID; setting it drops nothing")
    void movCr4Pcide() {
        cacheThenRemap();
        assertThat(rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PCIDE)).isZero();
        expect("X", X, OLD);
        rig.cpu.movToCr3(root | 1 | CR3_NO_FLUSH);
        assertThat(rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_PCIDE)).isZero();
        expect("X", X, NEW);
        expect("global", GLOBAL, NEW);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that sets SMEP drops the current PCID; SMAP and clearing SMEP drop nothing")
    void movCr4Smep() {
        rig.map(root, X, OLD, Rig.P | Rig.W);
        cacheThenRemap();
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMAP);
        assertThat(rig.use(Y, Rig.AR)).as("SMAP").isEqualTo(OLD);
        rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_SMAP);
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMEP);
        assertThat(rig.use(X, Rig.SR)).as("SMEP set").isEqualTo(NEW);
        rig.map(root, X, OLD, Rig.P);
        rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_SMEP);
        assertThat(rig.use(X, Rig.SR)).as("SMEP cleared").isEqualTo(NEW);
    }

    @Test
    @DisplayName("T11 MOV to CR0 that clears PG drops everything; one that changes WP nothing")
    void movCr0() {
        cacheThenRemap();
        rig.cpu.movToCr0(rig.registers.paging.cr0() & ~CR0_WP);
        expect("X", X, OLD);
        assertThat(rig.cpu.movToCr0(CR0_PE)).isZero();
        assertThat(rig.use(0x1234, Rig.SR)).as("T01 no paging: linear is physical").isEqualTo(0x1234);
        assertThat(rig.cpu.movToCr0(CR0_PE | CR0_PG)).isZero();
        expect("X", X, NEW);
        expect("global", GLOBAL, NEW);
    }

    @Test
    @DisplayName("T11 a page fault drops what is cached for its address: the TLB entry and the paging-structure-cache entries used")
    void pageFaultDrops() {
        rig.use(X, Rig.SR);
        rig.map(root, Y, 0, 0);
        rig.expectFault(Y, Rig.SR, 0);
        moveTable(Y, NEW);
        assertThat(rig.use(Y, Rig.SR)).as("not through the PDE-cache entry of before").isEqualTo(NEW);
        rig.map(root, X, NEW, Rig.P);
        assertThat(rig.use(X, Rig.SR)).as("another page's TLB entry stays").isEqualTo(OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that changes PSE drops everything; setting SMEP drops globals as well")
    void movCr4Others() {
        cacheThenRemap();
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PSE);
        expect("X", X, NEW);
        expect("global", GLOBAL, NEW);
        rig.map(root, GLOBAL, OLD, Rig.P | Rig.G);
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMEP);
        expect("global", GLOBAL, OLD);
    }

    /** Two contexts per address space: the numbers are used up after less than 32,768 of them. */
    @Test
    @DisplayName("T09 contexts are numbered with 16 bits: when the numbers are used up nothing of an older context shines through")
    void contextOverflow() {
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_PCIDE);
        int i = 0;
        for (; i < 4; i++) {
            enterSpace(i);
            assertThat(rig.use(X, Rig.SR)).isEqualTo(OLD);
            rig.cpu.vmcall();
        }
        rig.map(root, X, NEW, Rig.P | Rig.W | Rig.U);
        for (; i < 32_768; i++) {
            enterSpace(i);
            rig.cpu.vmcall();
        }
        for (; i < 32_800; i++) {
            enterSpace(i);
            assertThat(rig.use(X, Rig.SR)).as("address space %d", i).isEqualTo(NEW);
            rig.cpu.vmcall();
        }
    }

    private void enterSpace(int i) {
        rig.vmcs.vpid = 1 + i;
        rig.registers.paging = rig.registers.paging.withCr3(root | i & 0xfff);
        rig.enter();
    }
}
