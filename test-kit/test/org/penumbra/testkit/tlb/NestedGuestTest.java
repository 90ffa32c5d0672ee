package org.penumbra.testkit.tlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.tlb.AbstractTlb.Verdict.*;
import static org.penumbra.testkit.tlb.Guest.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * What a guest's guest (L2) may use of translations through EPT tables of its hypervisor (L1): SDM vol. 3, "Caching Translation Information" of
 * the chapter "VMX Support for Address Translation", and "Operations that Invalidate Cached Mappings".
 *
 * <p>L1: its own tables at gpa 0x1000 to 0x4000, which map gva 0 to gpa 0x10000. EPT12: 0x101000, 0x102000, 0x103000, page table 0x104000.
 * L2: tables at ngpa 0x1000 to 0x4000, which are gpa 0x201000 to 0x204000; ngva 0 is ngpa 0x10000, which is gpa 0x210000, and ngva 0x1000
 * ngpa 0x11000 at gpa 0x211000.
 */
class NestedGuestTest {
    private static final long EPT_PT = 0x10_4000;
    private static final long EPTP = 0x10_1000 | 6 | 3 << 3;
    private static final long OTHER_EPTP = 0x10_5000 | 6 | 3 << 3;
    private static final long WITH_FLAGS = EPTP | 1 << 6;
    private static final long RWX = 7;
    private static final long WB = 6 << 3;
    private static final long L2 = 0x20_0000;
    private static final int READ = Access.READ;
    private static final int WRITE = Access.WRITE;
    /** Exit qualifications: a read, a write; what EPT allows is R X, or nothing. */
    private static final long REFUSED_WRITE = 2 | 5 << 3;
    private static final long REFUSED_READ = 1;

    private final Guest guest = new Guest(1);
    private final PagingState l1 = paging(0x1000, 0);
    private final PagingState l2 = paging(0x1000, 0);

    @BeforeEach
    void tables() {
        guest.twoPages(0);
        guest.twoPages(L2);
        for (long root : new long[] {0x10_1000, 0x10_5000}) {
            guest.silently(root, 0, 0x10_2000 | RWX);
        }
        guest.silently(0x10_2000, 0, 0x10_3000 | RWX);
        guest.silently(0x10_3000, 0, EPT_PT | RWX);
        for (int frame = 0; frame < 64; frame++) {
            guest.silently(EPT_PT, frame, L2 + ((long) frame << 12) | RWX | WB);
        }
        guest.tlb.loaded(0, l1, false);
    }

    /** L2 runs with VPID 1 and touches both of its pages, so that every table is watched. */
    private void enter(long eptp) {
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(eptp), l2);
        guest.use(0, 0, READ, L2 + 0x1_0000);
        guest.use(0, 0x1000, READ, L2 + 0x1_1000);
    }

    /** L1 maps {@code ngpa} by {@code entry}. */
    private void map(long ngpa, long entry) {
        guest.tlb.left(0, l1);
        guest.set(EPT_PT, (int) (ngpa >>> 12), entry);
    }

    private void back() {
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(EPTP), l2);
    }

    @Test
    @DisplayName("N03 an address of L2 leads where its tables and EPT12 say, and nowhere else; without EPT12 where its tables say")
    void current() {
        enter(EPTP);
        assertThat(guest.use(0, 0x123, READ, L2 + 0x1_0123)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0x123, READ, 0x1_0123)).as("an ngpa taken for a gpa").isEqualTo(WRONG);
        guest.tlb.left(0, l1);
        assertThat(guest.use(0, 0x123, READ, 0x1_0123)).as("L1").isEqualTo(CURRENT);
        guest.tlb.entered(0, 1, null, l2);
        assertThat(guest.use(0, 0x123, READ, 0x1_0123)).as("L2 on shadow tables").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 a write to a leaf of EPT12 without INVEPT leaves old and new allowed, and after INVEPT the new one alone, whatever the VPID")
    void untilInvept() {
        enter(EPTP);
        map(0x1_0000, 0x22_0000 | RWX | WB);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedVpid(0, 1, 1, 0);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("INVVPID leaves guest-physical mappings").isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("and so does INVLPG of L2").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, false, OTHER_EPTP);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("and INVEPT of other tables").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, false, EPTP);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 the frame of one of L2's tables may be an old one too until INVEPT, and what L2 writes into the new one does not count there")
    void tableMoved() {
        enter(EPTP);
        guest.silently(0x30_4000, 0, 0x1_1000 | USED);
        map(0x4000, 0x30_4000 | RWX | WB);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_1000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("read again through a guest-physical mapping that is still cached").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, true, 0);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N03 an entry of L2's own is stale until its INVLPG, whatever EPT12 does")
    void ofItsOwn() {
        enter(EPTP);
        guest.set(L2 + 0x4000, 0, 0x1_1000 | USED);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.invalidatedPage(0, 0);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_1000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 rights of EPT12 count as they stand or stood: a write through a read-only leaf is wrong, one that was writable is stale")
    void rights() {
        enter(EPTP);
        map(0x1_0000, L2 + 0x1_0000 | 5 | WB);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, true, 0);
        back();
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N06 with flags in EPT12 A is set in all its entries before they are used, D for a write, and for L2's own tables too")
    void flags() {
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(WITH_FLAGS), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("no A").isEqualTo(WRONG);
        for (long table : new long[] {0x10_1000, 0x10_2000, 0x10_3000}) {
            guest.silently(table, 0, guest.memory.load64(BASE + table) | 1 << 8);
        }
        for (int frame : new int[] {1, 2, 3, 4, 0x10}) {
            guest.silently(EPT_PT, frame, L2 + ((long) frame << 12) | RWX | WB | 1 << 8 | (frame < 3 || frame == 4 ? 1 << 9 : 0));
        }
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("an access to a table counts as a write").isEqualTo(WRONG);
        guest.silently(EPT_PT, 3, L2 + 0x3000 | RWX | WB | 3 << 8);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).as("no D").isEqualTo(WRONG);
        guest.silently(EPT_PT, 0x10, L2 + 0x1_0000 | RWX | WB | 3 << 8);
        assertThat(guest.use(0, 0, WRITE, L2 + 0x1_0000)).isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N06 what is cached by tables without flags serves an EPT pointer with flags and the same EP4TA, until INVEPT")
    void sharedEp4ta() {
        enter(EPTP);
        guest.tlb.left(0, l1);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(WITH_FLAGS), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("A is set nowhere").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(OTHER_EPTP | 1 << 6), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("another EP4TA").isEqualTo(WRONG);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, false, EPTP);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(WITH_FLAGS), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N06 without VPID everything of L2 goes at each VM entry, with one nothing does")
    void vpid() {
        enter(EPTP);
        guest.set(L2 + 0x4000, 0, 0x1_1000 | USED);
        guest.tlb.left(0, l1);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedVpid(0, 1, 2, 0);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("INVVPID of another").isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedVpid(0, 1, 1, 0);
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).as("INVVPID").isEqualTo(WRONG);
        guest.tlb.left(0, l1);
        guest.tlb.entered(0, 0, new TranslationRoot.TwoDimensional(EPTP), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_1000)).isEqualTo(CURRENT);
        guest.set(L2 + 0x4000, 0, 0x1_0000 | USED);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_1000)).isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.entered(0, 0, new TranslationRoot.TwoDimensional(EPTP), l2);
        assertThat(guest.use(0, 0, READ, L2 + 0x1_1000)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N05 a violation is reported if EPT12 refuses, with the rights that it has; old rights may refuse until INVEPT, an absent entry only as it stands")
    void violations() {
        enter(EPTP);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_WRITE)).isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | 5 | WB);
        back();
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_WRITE)).isEqualTo(CURRENT);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, 2 | 4 << 3)).as("other rights").isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | RWX | WB);
        back();
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_WRITE)).isEqualTo(STALE);
        map(0x1_0000, 0);
        back();
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_READ)).isEqualTo(CURRENT);
        map(0x1_0000, L2 + 0x1_0000 | RWX | WB);
        guest.tlb.invalidatedEpt(0, false, EPTP);
        back();
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_READ)).as("what is absent is never cached").isEqualTo(WRONG);
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, REFUSED_WRITE)).isEqualTo(WRONG);
        map(0x1_0000, L2 + 0x1_0000 | 2 | WB);
        back();
        assertThat(guest.tlb.stageRefused(0, 0x1_0000, -1)).as("W without R").isEqualTo(CURRENT);
        assertThat(guest.tlb.stageRefused(0, 0x1_1000, -1)).isEqualTo(WRONG);
    }

    @Test
    @DisplayName("N03 a page fault of L2 is its own tables', read through EPT12")
    void pageFaults() {
        enter(EPTP);
        assertThat(guest.tlb.pageFault(0, 0x2000, 0, false)).isEqualTo(CURRENT);
        assertThat(guest.tlb.pageFault(0, 0x1000, 0, false)).isEqualTo(WRONG);
        guest.silently(0x30_4000, 0, 0x1_1000 | USED);
        map(0x4000, 0x30_4000 | RWX | WB);
        back();
        assertThat(guest.tlb.pageFault(0, 0x1000, 0, false)).as("in the new table").isEqualTo(CURRENT);
    }

    @Test
    @DisplayName("N03 an L2 without paging has its addresses from EPT12 alone")
    void unpaged() {
        PagingState off = new PagingState(0, 0, 0, 0, 0, 0);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(EPTP), off);
        assertThat(guest.use(0, 0x1_0000, READ, L2 + 0x1_0000)).isEqualTo(CURRENT);
        map(0x1_0000, 0x22_0000 | RWX | WB);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(EPTP), off);
        assertThat(guest.use(0, 0x1_0000, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, false, EPTP);
        guest.tlb.entered(0, 1, new TranslationRoot.TwoDimensional(EPTP), off);
        assertThat(guest.use(0, 0x1_0000, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.tlb.complaint(0, 0x1_0000, READ, L2 + 0x1_0000 + BASE)).contains("older entries of the second dimension");
    }

    @Test
    @DisplayName("N03 what is tidied up was of no use: verdicts after it are those of before")
    void sweep() {
        enter(EPTP);
        map(0x1_0000, 0x22_0000 | RWX | WB);
        back();
        guest.tlb.sweep();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(STALE);
        guest.tlb.left(0, l1);
        guest.tlb.invalidatedEpt(0, true, 0);
        guest.tlb.sweep();
        assertThat(guest.tlb.olderValues()).isZero();
        back();
        assertThat(guest.use(0, 0, READ, L2 + 0x1_0000)).isEqualTo(WRONG);
        assertThat(guest.use(0, 0, READ, 0x22_0000)).isEqualTo(CURRENT);
    }
}
