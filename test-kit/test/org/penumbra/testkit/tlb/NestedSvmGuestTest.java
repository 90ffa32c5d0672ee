package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * What a guest's guest (L2) may use of translations through nested tables of its hypervisor (L1): APM vol. 2, "Nested Paging", "TLB Control",
 * "Nested versus Guest Page Faults, Fault Ordering".
 *
 * <p>NPT12: 0x101000, 0x102000, 0x103000, page table 0x104000. L2: tables at ngpa 0x1000 to 0x4000, which are gpa 0x201000 to 0x204000; ngva 0
 * is ngpa 0x10000, which is gpa 0x210000, and ngva 0x1000 ngpa 0x11000 at gpa 0x211000.
 */
class NestedSvmGuestTest {
    private static final long NPT_PT = 0x10_4000;
    private static final TranslationRoot NPT12 = new TranslationRoot.Nested(0x10_1000, 4);
    /** P, R/W, U/S, A and D. */
    private static final long PAGE = 0x67;
    private static final long XD = 1L << 63;
    private static final long L2 = 0x20_0000;
    private static final int READ = Access.READ;
    private static final int WRITE = Access.WRITE;
    private static final int FETCH = Access.FETCH;
    /** EXITINFO1, of the final address: U/S alone of a read that found nothing; with P of one that was forbidden; with RSV. */
    private static final long FINAL = 1L << 32;
    private static final long ABSENT = FINAL | 4;
    private static final long FORBIDDEN_WRITE = FINAL | 7;
    private static final long RESERVED = FINAL | 0xd;

    private final Guest guest = new Guest(1);
    private final PagingState l1 = paging(0x1000, 0);
    private final PagingState l2 = paging(0x1000, 0);

    @BeforeEach
    void tables() {
        guest.twoPages(0);
        guest.twoPages(L2);
        guest.silently(0x10_1000, 0, 0x10_2000 | PAGE);
        guest.silently(0x10_2000, 0, 0x10_3000 | PAGE);
        guest.silently(0x10_3000, 0, NPT_PT | PAGE);
        for (int frame = 0; frame < 64; frame++) {
            guest.silently(NPT_PT, frame, L2 + ((long) frame << 12) | PAGE);
        }
        guest.tlb.loaded(0, l1, false);
        enter(1);
        guest.use(0, 0, READ, L2 + 0x1_0000);
        guest.use(0, 0x1000, READ, L2 + 0x1_1000);
    }

    private void enter(int asid) {
        guest.tlb.entered(0, asid, NPT12, l2);
    }

    /** L1 maps {@code ngpa} by {@code entry}, and goes on with L2. */
    private void map(long ngpa, long entry) {
        guest.tlb.left(0, l1);
        guest.set(NPT_PT, (int) (ngpa >>> 12), entry);
        enter(1);
    }

    private void flush(boolean all, int asid) {
        guest.tlb.left(0, l1);
        guest.tlb.flushedAsid(0, all, asid);
        enter(1);
    }

    @Test
    @DisplayName("N03 an address of L2 leads where its tables and NPT12 say, and nowhere else")
    void current() {
        assertThat(guest.use(0, 0x123, READ, L2 + 0x1_0123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x123, READ, 0x1_0123)).as("an ngpa taken for a gpa").isEqualTo(WRONG);
        guest.tlb.left(0, l1);
        assertThat(guest.use(0, 0x123, READ, 0x1_0123)).as("L1").isEqualTo(CURRENT);
    }

    @ParameterizedTest(name = "all: {0}")
    @ValueSource(booleans = {false, true})
    @DisplayName("N03 a write to NPT12 without a flush leaves old and new allowed; a flush of the ASID, or of all, leaves the new one alone")
    void untilFlush(boolean all) {
        map(0x1_0000, 0x22_0000 | PAGE);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("INVLPG of L2 leaves guest-physical mappings").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedVpid(0, 3, 1, 0);
        enter(1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("and so does a flush of what is not global").isEqualTo(STALE);
        flush(false, 2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("and that of another ASID").isEqualTo(STALE);
        flush(all, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 what one ASID has cached is none of another's, and is there when it comes back")
    void asids() {
        map(0x1_0000, 0x22_0000 | PAGE);
        guest.tlb.left(0, l1);
        guest.tlb.flushedAsid(0, false, 2);
        enter(2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("ASID 2 has never seen it").isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
        guest.tlb.left(0, l1);
        enter(1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
    }

    @Test
    @DisplayName("N03 R/W and U/S of NPT12 have to be 1 and bit 63 to be 0 for what L2 does, whatever L2's CPL; L2's tables have to be writable")
    void rights() {
        map(0x1_0000, L2 + 0x1_0000 | PAGE & ~2);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | PAGE & ~4);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("a supervisor page of NPT12").isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | PAGE | XD);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, FETCH, L2 + 0x1_0000)).isEqualTo(WRONG);
        map(0x4000, L2 + 0x4000 | PAGE & ~2);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("a table that NPT12 has read-only").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N06 A is set in all entries of NPT12 before they are used, D for a write and for L2's tables: nested tables always have flags")
    void flags() {
        map(0x1_0000, L2 + 0x1_0000 | 7);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("no A").isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | 0x27);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).as("no D").isEqualTo(WRONG);
        map(0x4000, L2 + 0x4000 | 0x27);
        flush(false, 1);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("an access to a table counts as a write").isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N05 a nested page fault is reported if NPT12 refuses: P and RSV say what it has there; old rights may refuse until a flush")
    void refusals() {
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FORBIDDEN_WRITE)).isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | PAGE & ~2);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FORBIDDEN_WRITE)).isEqualTo(CURRENT);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FINAL | 6)).as("not present, which it is").isEqualTo(WRONG);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FINAL | 3)).as("a supervisor access, which none is").isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | PAGE);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FORBIDDEN_WRITE)).isEqualTo(STALE);
        flush(false, 1);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, FORBIDDEN_WRITE)).isEqualTo(WRONG);
        map(0x1_0000, 0);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, ABSENT)).isEqualTo(CURRENT);
        assertThat(guest.tlb.stageRefused(0, 0x1_1000, RESERVED)).isEqualTo(WRONG);
        guest.tlb.left(0, l1);
        guest.set(0x10_3000, 0, L2 | PAGE | 1 << 7 | 1 << 13);
        enter(1);
        assertThat(guest.tlb.stageRefused(0, 0x1_1000, RESERVED)).as("bit 13 of a 2 MiB leaf").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N05 bit 63 of an entry of NPT12 is reserved while the hypervisor has no EFER.NXE")
    void noExecute() {
        map(0x1_0000, L2 + 0x1_0000 | PAGE | XD);
        flush(false, 1);
        guest.tlb.left(0, l1);
        guest.tlb.entered(0, 1, new TranslationRoot.Nested(0x10_1000, 4, false), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("cached while it had").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.flushedAsid(0, false, 1);
        guest.tlb.entered(0, 1, new TranslationRoot.Nested(0x10_1000, 4, false), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, RESERVED)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 what is tidied up was of no use: verdicts after it are those of before")
    void sweep() {
        map(0x1_0000, 0x22_0000 | PAGE);
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        flush(true, 1);
        guest.tlb.sweep();
        assertThat(guest.tlb.olderValues()).isZero();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
    }
}
