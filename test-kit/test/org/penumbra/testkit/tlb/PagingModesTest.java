package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/** The abstract TLB in the paging modes other than 4-level paging. */
class PagingModesTest {
    private static final int READ = Access.READ | Access.USER;
    private static final int WRITE = Access.WRITE | Access.USER;
    private static final PagingState BITS_32 = new PagingState(CR0_PE | CR0_PG | CR0_WP, 0x1000, CR4_PSE, 0, 0, 0);
    private static final PagingState PAE =
            new PagingState(CR0_PE | CR0_PG | CR0_WP, 0x1020, CR4_PAE, EFER_NXE, 0, 0, new Pdptes(0x2001, 0, 0, 0x3001));

    private final Guest guest = new Guest(1);

    /** 32-bit paging: page directory 0x1000, page tables 0x2000 (from gva 0) and 0x3000 (from 4 MiB). */
    private void bits32() {
        guest.silently4(0x1000, 0, 0x2000 | USED);
        guest.silently4(0x1000, 1, 0x3000 | USED);
        guest.silently4(0x2000, 0, 0x10000 | USED);
        guest.silently4(0x2000, 1, 0x11000 | USED);
        guest.silently4(0x2000, 1023, 0x12000 | USED);
        guest.silently4(0x3000, 0, 0x20000 | USED);
        guest.tlb.loaded(0, BITS_32, false);
        assertThat(guest.use(0, 0x123, READ, 0x10123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x3ff123, READ, 0x12123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x400123, READ, 0x20123)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T01 without paging 32 bits of the linear address are the guest-physical address")
    void noPaging() {
        guest.tlb.loaded(0, new PagingState(CR0_PE, 0, 0, 0, 0, 0), false);
        assertThat(guest.use(0, 0x12345, Access.WRITE, 0x12345)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x12345, Access.WRITE, 0x12346)).isEqualTo(WRONG);
        guest.tlb.invalidatedPage(0, 0x12345);
        assertThat(guest.tlb.pageFault(0, 0x12345, 0, false)).as("nothing faults").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T02 entries of 4 bytes have a history each: an entry's neighbour changes nothing for it")
    void neighbours() {
        bits32();
        guest.set4(0x2000, 0, 0x30000 | USED);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x1000, READ, 0x30000)).isEqualTo(WRONG);
        for (int i = 0; i < 40; i++) {
            guest.set4(0x2000, 1, 0x40000 + 0x1000 * i | USED);
        }
        assertThat(guest.use(0, 0, READ, 0x10000)).as("40 values of the other half were forgotten, not this").isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x1000, READ, 0x40000 + 0x1000 * 30)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T02 a store of 8 bytes writes two entries of 4")
    void wideStore() {
        bits32();
        guest.set(0x2000, 0, 0x31000 | USED | (0x32000L | USED) << 32);
        assertThat(guest.use(0, 0, READ, 0x31000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x1000, READ, 0x32000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T02 a page table replaced by a 4 MiB page and back: both are usable until the flush, INVLPG drops all of the large page")
    void fourMegabytes() {
        bits32();
        guest.set4(0x1000, 0, 0x0080_0000 | USED | LARGE);
        assertThat(guest.use(0, 0x3ff123, READ, 0xbff123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x3ff123, READ, 0x12123)).as("the old table").isEqualTo(STALE);
        guest.set4(0x1000, 0, 0x2000 | USED);
        assertThat(guest.use(0, 0x3ff123, READ, 0xbff123)).as("the old large page").isEqualTo(STALE);
        guest.set4(0x1000, 0, 0x00c0_0000 | USED | LARGE);
        guest.tlb.invalidatedPage(0, 0x0020_0000);
        assertThat(guest.use(0, 0x3ff123, READ, 0xbff123)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x3ff123, READ, 0xfff123)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T02 INVLPG of one 4 MiB page leaves its neighbour")
    void neighbourOfALargePage() {
        bits32();
        guest.set4(0x1000, 2, 0x0080_0000 | USED | LARGE);
        guest.use(0, 0x80_0000, READ, 0x80_0000);
        guest.set4(0x1000, 2, 0);
        guest.tlb.invalidatedPage(0, 0xc0_0000);
        assertThat(guest.use(0, 0xa0_0000, READ, 0xa0_0000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0xbf_f000);
        assertThat(guest.use(0, 0xa0_0000, READ, 0xa0_0000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a change of CR4.PSE drops nothing: what was cached with PSE = 1 may be used, what is read now is a table")
    void pse() {
        bits32();
        guest.silently4(0x80_0000, 0, 0x50000 | USED);
        guest.set4(0x1000, 2, 0x80_0000 | USED | LARGE);
        assertThat(guest.use(0, 0x80_0000, READ, 0x80_0000)).isEqualTo(CURRENT);
        guest.tlb.loaded(0, BITS_32.withCr4(0), false);
        assertThat(guest.use(0, 0x80_0000, READ, 0x80_0000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x80_0000, READ, 0x50000)).isEqualTo(CURRENT);
        guest.tlb.loaded(0, BITS_32.withCr4(0), false);
        assertThat(guest.use(0, 0x80_0000, READ, 0x80_0000)).as("MOV to CR3").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 MOV CR3 and global pages in 32-bit paging")
    void flushes() {
        bits32();
        guest.tlb.loaded(0, BITS_32.withCr4(CR4_PSE | CR4_PGE), false);
        guest.set4(0x2000, 0, 0x10000 | USED | GLOBAL);
        guest.set4(0x2000, 0, 0x30000 | USED);
        guest.set4(0x2000, 1, 0x31000 | USED);
        guest.tlb.loaded(0, BITS_32.withCr4(CR4_PSE | CR4_PGE), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(WRONG);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, 0x10000)).as("tidying up keeps it").isEqualTo(STALE);
        guest.tlb.loaded(0, BITS_32, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    /** PAE: page directories 0x2000 (PDPTE 0) and 0x3000 (PDPTE 3), page table 0x4000. CR3 names memory that says otherwise. */
    private void pae() {
        guest.silently(0x2000, 0, 0x4000 | USED);
        guest.silently(0x3000, 0, 0x4000 | USED);
        guest.silently(0x4000, 0, 0x10000 | USED);
        guest.silently(0x4000, 1, 0x11000 | USED);
        guest.silently(0x5000, 0, 0x4000 | USED);
        guest.tlb.loaded(0, PAE, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0xc000_0000L, READ, 0x10000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T03 the PDPTE registers translate: a store to the PDPTEs in memory changes nothing until they are loaded")
    void pdpteRegisters() {
        pae();
        guest.set(0x1000, 4, 0x6001);
        guest.set(0x1000, 5, 0x2001);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(CURRENT);
        assertThat(guest.tlb.pageFault(0, 0x4000_0000L, 4, false)).as("PDPTE 1 is absent in the register").isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x4000_0000L, READ, 0x10000)).isEqualTo(WRONG);
        guest.tlb.loaded(0, PAE.withPdptes(new Pdptes(0x6001, 0x2001, 0, 0)), false);
        assertThat(guest.use(0, 0x4000_0000L, READ, 0x10000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).as("MOV to CR3 drops what was cached").isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0x4000_0000L, 4, false)).isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0xc000_0000L, 4, false)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T03 T14 under nested paging a PDPTE is an entry: a change in memory is seen by the next walk, and stale until an invalidation")
    void pdptesInMemory() {
        guest.silently(0x2000, 0, 0x4000 | USED);
        guest.silently(0x4000, 0, 0x10000 | USED);
        guest.silently(0x3000, 0, 0x5000 | USED);
        guest.silently(0x5000, 0, 0x11000 | USED);
        guest.silently(0x1000, 4, 0x2001);
        guest.tlb.loaded(0, PAE.withPdptes(Pdptes.IN_MEMORY), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(CURRENT);
        guest.set(0x1000, 4, 0x3001);
        assertThat(guest.use(0, 0, READ, 0x11000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x11000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T03 PDPTEs that a MOV to CR4 loads (PSE) drop nothing: old translations stay, new walks use the new registers")
    void pdptesLoadedWithoutFlush() {
        pae();
        guest.silently(0x6000, 0, 0x7000 | USED);
        guest.silently(0x7000, 0, 0x30000 | USED);
        guest.tlb.loaded(0, PAE.withCr4(CR4_PAE | CR4_PSE).withPdptes(new Pdptes(0x6001, 0, 0, 0)), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0xc000_0000L, READ, 0x10000)).isEqualTo(STALE);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, 0x10000)).as("tidying up keeps it").isEqualTo(STALE);
        guest.set(0x4000, 1, 0x33000 | USED);
        assertThat(guest.use(0, 0x1000, READ, 0x33000)).as("an old PDE from a paging-structure cache").isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).as("of another page").isEqualTo(STALE);
    }

    @Test
    @DisplayName("T03 an absent PDPTE register of before explains no page fault now")
    void registerThatIsPresentNow() {
        pae();
        assertThat(guest.tlb.pageFault(0, 0x4000_0000L, 4, false)).isEqualTo(CURRENT);
        guest.tlb.loaded(0, PAE.withCr4(CR4_PAE | CR4_PSE).withPdptes(new Pdptes(0x2001, 0x2001, 0, 0)), false);
        assertThat(guest.tlb.pageFault(0, 0x4000_0000L, 4, false)).isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0xc000_0000L, 4, false)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T03 tidying up keeps what tables below each PDPTE register have held")
    void tidyingUpBelowEachRegister() {
        pae();
        guest.silently(0x7000, 0, 0x30000 | USED);
        guest.set(0x3000, 0, 0x7000 | USED);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0xc000_0000L, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0xc000_0000L, READ, 0x30000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T02 a frame that is a table of 4-byte entries for one vCPU and of 8-byte entries for another has both histories")
    void twoFormatsAtOnce() {
        Guest two = new Guest(2);
        two.silently4(0x1000, 0, 0x4000 | USED);
        two.silently(0x2000, 0, 0x4000 | USED);
        two.silently(0x4000, 0, 0x10000 | USED);
        two.tlb.loaded(0, BITS_32, false);
        two.tlb.loaded(1, PAE, false);
        assertThat(two.use(0, 0, READ, 0x10000)).isEqualTo(CURRENT);
        assertThat(two.use(1, 0, READ, 0x10000)).isEqualTo(CURRENT);
        two.set(0x4000, 0, 0x30000 | USED | 1L << 63);
        two.set(0x4000, 0, 0x31000 | USED);
        int fetch = Access.FETCH | Access.USER;
        assertThat(two.use(0, 0, fetch, 0x30000)).as("no XD in 4 bytes").isEqualTo(STALE);
        assertThat(two.use(1, 0, fetch, 0x30000)).isEqualTo(WRONG);
        assertThat(two.use(1, 0, READ, 0x30000)).isEqualTo(STALE);
        assertThat(two.use(1, 0, fetch, 0x10000)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T03 2 MiB pages of PAE paging and tables replace each other")
    void twoMegabytes() {
        pae();
        guest.set(0x2000, 0, 0x40_0000 | USED | LARGE);
        assertThat(guest.use(0, 0x1123, READ, 0x40_1123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x1123, READ, 0x11123)).isEqualTo(STALE);
        guest.tlb.loaded(0, PAE, false);
        assertThat(guest.use(0, 0x1123, READ, 0x11123)).isEqualTo(WRONG);
        guest.set(0x2000, 0, 0x4000 | USED);
        assertThat(guest.use(0, 0x1123, READ, 0x40_1123)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T11 changing CR4.PAE or CR0.PG drops everything, so that a frame may serve as a table of both formats")
    void modeChange() {
        bits32();
        guest.set4(0x2000, 0, 0x30000 | USED);
        guest.silently(0x2000, 5, 0x3000 | USED);
        guest.silently(0x3000, 0, 0x40000 | USED);
        guest.tlb.loaded(0, BITS_32.withCr0(CR0_PE), false);
        guest.tlb.loaded(0, PAE, false);
        assertThat(guest.use(0, 5 << 21, READ, 0x40000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        guest.set(0x3000, 0, 0x41000 | USED);
        guest.tlb.loaded(0, BITS_32, false);
        assertThat(guest.use(0, 0x40_0000, READ, 0x40000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x40_0000, READ, 0x41000)).as("the same bytes as an entry of 4").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that changes PAE while paging is on drops everything")
    void paeSetUnderPaging() {
        bits32();
        guest.silently(0x6000, 0, 0x7000 | USED);
        guest.silently(0x7000, 0, 0x30000 | USED);
        guest.tlb.loaded(0, BITS_32.withCr4(CR4_PSE | CR4_PAE).withPdptes(new Pdptes(0x6001, 0, 0, 0)), false);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T05 5-level paging: PML5E and 57-bit addresses; INVLPG of an address that differs above bit 47 leaves the page")
    void fiveLevels() {
        PagingState state = PagingState.longMode(0x9000).withCr4(CR4_PAE | CR4_LA57);
        guest.silently(0x9000, 0, 0x1000 | USED);
        guest.silently(0x9000, 1, 0x1000 | USED);
        guest.silently(0x1000, 0, 0x2000 | USED);
        guest.silently(0x2000, 0, 0x3000 | USED);
        guest.silently(0x3000, 0, 0x4000 | USED);
        guest.silently(0x4000, 0, 0x10000 | USED);
        guest.tlb.loaded(0, state, false);
        long other = 1L << 48;
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, other, WRITE, 0x10000)).isEqualTo(CURRENT);
        guest.set(0x4000, 0, 0x30000 | USED);
        guest.tlb.invalidatedPage(0, other);
        assertThat(guest.use(0, other, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        guest.set(0x9000, 0, 0xa000 | USED);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, 0x10000)).as("by the old PML5E").isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 4, false)).as("the new one leads nowhere").isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
    }
}
