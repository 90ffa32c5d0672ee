package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;

/**
 * Pages that change their size: SDM vol. 3, "Details of TLB Use" and "Propagation of Paging-Structure Changes to Multiple
 * Processors". 4-level tables at 0x1000 to 0x4000; gva 0 is mapped by a page table.
 */
class MixedLevelsTest {
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;
    private static final long PT = 0x4000;
    private static final int READ = Access.READ | Access.USER;

    private final Guest guest = new Guest(1);

    @BeforeEach
    void tables() {
        guest.silently(0x1000, 0, PDPT | USED);
        guest.silently(PDPT, 0, PD | USED);
        guest.silently(PD, 0, PT | USED);
        for (int i = 0; i < 512; i++) {
            guest.silently(PT, i, 0x100000 + 0x1000 * i | USED);
        }
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        assertThat(guest.use(0, 0x5123, READ, 0x105123)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T11 a table replaced by a 2 MiB page: both are usable until the flush, page by page")
    void collapse() {
        guest.set(PD, 0, 0x40_0000 | USED | LARGE);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x5123, READ, 0x105123)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x5000);
        assertThat(guest.use(0, 0x5123, READ, 0x105123)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x6123, READ, 0x106123)).as("a translation of another page number").isEqualTo(STALE);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        assertThat(guest.use(0, 0x6123, READ, 0x106123)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a 2 MiB page split into a table: INVLPG of one small page leaves fragments of the large one for the others")
    void split() {
        guest.set(PD, 0, 0x40_0000 | USED | LARGE);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        guest.use(0, 0x5123, READ, 0x40_5123);
        guest.set(PD, 0, PT | USED);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x5123, READ, 0x105123)).isEqualTo(CURRENT);
        guest.tlb.invalidatedPage(0, 0x5000);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x6123, READ, 0x40_6123)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("T11 INVLPG anywhere in a large page drops all of it (\"Details of TLB Use\": fragments)")
    void fragments() {
        guest.set(PD, 1, 0x400000 | USED | LARGE);
        assertThat(guest.use(0, 0x2abcde, READ, 0x4abcde)).isEqualTo(CURRENT);
        guest.set(PD, 1, 0x600000 | USED | LARGE);
        assertThat(guest.use(0, 0x2abcde, READ, 0x4abcde)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x200000);
        assertThat(guest.use(0, 0x2abcde, READ, 0x4abcde)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x2abcde, READ, 0x6abcde)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T11 a 2 MiB page unmapped: one INVLPG anywhere drops all of it")
    void unmapped() {
        guest.set(PD, 0, 0x40_0000 | USED | LARGE);
        guest.use(0, 0x5123, READ, 0x40_5123);
        guest.set(PD, 0, 0);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x1ff000);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T11 a 1 GiB page, a 2 MiB page and a page table in turn: each is usable until the flush, also when none was ever used")
    void threeSizes() {
        guest.set(PDPT, 0, 0x4000_0000L | USED | LARGE);
        guest.set(PDPT, 0, PD | USED);
        guest.set(PD, 0, 0x40_0000 | USED | LARGE);
        guest.set(PD, 0, PT | USED);
        guest.set(PT, 5, 0x300000 | USED);
        assertThat(guest.use(0, 0x5123, READ, 0x300123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).as("2 MiB, filled speculatively").isEqualTo(STALE);
        assertThat(guest.use(0, 0x5123, READ, 0x105123)).as("4 KiB").isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x5000);
        for (long gpa : new long[] {0x40_5123, 0x105123}) {
            assertThat(guest.use(0, 0x5123, READ, gpa)).isEqualTo(WRONG);
        }
    }

    @Test
    @DisplayName("T11 a 1 GiB page is dropped by INVLPG anywhere in it, and by nothing outside it")
    void gigabyte() {
        guest.set(PDPT, 0, USED | LARGE);
        assertThat(guest.use(0, 0x3000_0123, READ, 0x3000_0123)).isEqualTo(CURRENT);
        guest.set(PDPT, 0, 0);
        guest.tlb.invalidatedPage(0, 0x4000_0000L);
        assertThat(guest.use(0, 0x3000_0123, READ, 0x3000_0123)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x3fff_f000L);
        assertThat(guest.use(0, 0x3000_0123, READ, 0x3000_0123)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T07 a replaced large page counts as dirty, one that is there does not")
    void flagsOfLargePages() {
        guest.set(PD, 0, 0x40_0000 | P | W | U | A | LARGE);
        assertThat(guest.use(0, 0x5123, READ, 0x40_5123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x5123, Access.WRITE | Access.USER, 0x40_5123)).isEqualTo(WRONG);
        guest.set(PD, 0, PT | USED);
        assertThat(guest.use(0, 0x5123, Access.WRITE | Access.USER, 0x40_5123)).isEqualTo(STALE);
    }
}
