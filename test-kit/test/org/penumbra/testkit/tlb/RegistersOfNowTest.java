package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * EFER, PKRU and PKRS: a change drops nothing, and old translations are judged by the values of now (SDM vol. 3, "Operations that
 * Invalidate TLBs and Paging-Structure Caches", which names none of them, and "Protection Keys").
 */
class RegistersOfNowTest {
    private static final long PT = 0x4000;
    private static final int READ = Access.READ | Access.USER;
    private static final int WRITE = Access.WRITE | Access.USER;
    private static final int FETCH = Access.FETCH | Access.USER;
    private static final long KEY_3 = 3L << 59;
    private static final long XD = 1L << 63;
    private static final PagingState KEYS = paging(0x1000, CR4_PKE | CR4_PKS);

    private final Guest guest = new Guest(1);

    @BeforeEach
    void tables() {
        guest.silently(0x1000, 0, 0x2000 | USED);
        guest.silently(0x2000, 0, 0x3000 | USED);
        guest.silently(0x3000, 0, PT | USED);
        guest.silently(PT, 0, 0x10000 | USED | KEY_3);
        guest.silently(PT, 1, 0x11000 | P | W | A | D | KEY_3);
        guest.tlb.loaded(0, KEYS, false);
        guest.use(0, 0, READ, 0x10000);
    }

    @Test
    @DisplayName("T06 WRPKRU takes effect at once, on cached translations too, and drops nothing")
    void pkru() {
        guest.set(PT, 0, 0x30000 | USED | KEY_3);
        guest.tlb.loaded(0, KEYS.withPkru(2 << 6), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("the old translation stays").isEqualTo(STALE);
        assertThat(guest.use(0, 0, WRITE, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, WRITE, 0x30000)).isEqualTo(WRONG);
        guest.tlb.loaded(0, KEYS.withPkru(1 << 6), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, FETCH, 0x10000)).as("fetches have no keys").isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 0x25, false)).isEqualTo(CURRENT);
        guest.tlb.loaded(0, KEYS, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("the fault dropped it").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T06 an old key may be used until the flush")
    void oldKey() {
        guest.set(PT, 0, 0x10000 | USED);
        guest.tlb.loaded(0, KEYS.withPkru(1 << 6), false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("key 0").isEqualTo(CURRENT);
        assertThat(guest.tlb.pageFault(0, 0, 0x25, false)).as("key 3").isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 0x25, false)).as("dropped by the fault").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T06 WRMSR to IA32_PKRS likewise, for supervisor pages")
    void pkrs() {
        guest.use(0, 0x1000, Access.READ, 0x11000);
        guest.set(PT, 1, 0x31000 | P | W | A | D | KEY_3);
        guest.tlb.loaded(0, KEYS.withPkrs(2 << 6), false);
        assertThat(guest.use(0, 0x1000, Access.READ, 0x11000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0x1000, Access.WRITE, 0x11000)).isEqualTo(WRONG);
        assertThat(guest.tlb.pageFault(0, 0x1000, 0x23, false)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("T06 WRMSR to IA32_EFER drops nothing; with NXE = 0 an entry with XD = 1 is reserved, unless it was cached before")
    void nxeCleared() {
        guest.set(PT, 0, 0x10000 | USED | XD);
        assertThat(guest.use(0, 0, FETCH, 0x10000)).as("until the flush").isEqualTo(STALE);
        guest.tlb.loaded(0, KEYS, false);
        assertThat(guest.use(0, 0, FETCH, 0x10000)).isEqualTo(WRONG);
        PagingState off = KEYS.withEfer(EFER_LME | EFER_LMA);
        guest.tlb.loaded(0, off, false);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("cached while NXE was 1").isEqualTo(STALE);
        assertThat(guest.tlb.pageFault(0, 0, 13, false)).as("read now").isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, 0x10000)).as("the fault dropped it").isEqualTo(WRONG);
        guest.set(PT, 2, 0x12000 | USED | XD);
        assertThat(guest.use(0, 0x2000, READ, 0x12000)).as("never there while NXE was 1").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("T06 an entry with XD = 1 that was replaced before NXE was set cannot have been cached")
    void nxeSet() {
        PagingState off = KEYS.withEfer(EFER_LME | EFER_LMA);
        Guest other = new Guest(1);
        other.silently(0x1000, 0, 0x2000 | USED);
        other.silently(0x2000, 0, 0x3000 | USED);
        other.silently(0x3000, 0, PT | USED);
        other.silently(PT, 0, 0x10000 | USED | XD);
        other.silently(PT, 1, 0x11000 | USED);
        other.tlb.loaded(0, off, false);
        other.use(0, 0x1000, READ, 0x11000);
        other.set(PT, 0, 0x30000 | USED);
        other.set(PT, 1, 0x31000 | USED);
        other.tlb.loaded(0, KEYS, false);
        assertThat(other.use(0, 0, READ, 0x10000)).isEqualTo(WRONG);
        assertThat(other.use(0, 0x1000, READ, 0x11000)).as("EFER drops nothing").isEqualTo(STALE);
    }
}
