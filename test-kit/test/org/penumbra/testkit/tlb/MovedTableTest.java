package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;

/** Tables of the guest that the host moves: PML4 0x1000, PDPT 0x2000, PD 0x3000, page table 0x4000 with two pages. */
class MovedTableTest {
    private static final long PT = 0x4000;
    private static final int READ = Access.READ | Access.USER;

    private final Guest guest = new Guest(1);

    @BeforeEach
    void tables() {
        guest.silently(0x1000, 0, 0x2000 | USED);
        guest.silently(0x2000, 0, 0x3000 | USED);
        guest.silently(0x3000, 0, PT | USED);
        guest.silently(PT, 0, 0x10000 | USED);
        guest.silently(PT, 1, 0x11000 | USED);
        guest.tlb.loaded(0, paging(0x1000, 0), false);
        guest.use(0, 0, READ, 0x10000);
        guest.use(0, 0x1000, READ, 0x11000);
    }

    @Test
    @DisplayName("H03 a table that the host moves keeps its history: what was stale and legal stays so, and later stores are seen")
    void movedTable() {
        guest.set(PT, 0, 0x30000 | USED);
        guest.move(PT, 0x7000);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x30000)).isEqualTo(CURRENT);
        guest.set(PT, 1, 0x32000 | USED);
        guest.set(PT, 1, 0x31000 | USED);
        assertThat(guest.use(0, 0x1000, READ, 0x32000)).as("what it held between two reads").isEqualTo(STALE);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0x1000);
        assertThat(guest.use(0, 0x1000, READ, 0x11000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0x1000, READ, 0x31000)).isEqualTo(CURRENT);
    }
}
