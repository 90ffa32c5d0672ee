package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Which arrays of a profile hold which translations, and that invalidations reach every array: SDM vol. 3, "Information That May Be
 * Cached" and "Details of TLB Use" under "Translation Lookaside Buffers (TLBs)".
 */
class TlbArraysTest {
    private static final long HUGE = 0x40_4000_0000L;
    private static final long TO = 0x4000_0000L;
    private static final long MOVED = 0x8000_0000L;
    private static final long SMALL = 0x60_0000_0000L;
    private static final long PIECE = 1L << 21;
    private static final long GLOBAL = 0x50_0000_0000L;

    private Rig rig;
    private long root;

    private void boot(TestProfile profile) {
        rig = new Rig(profile);
        root = rig.longMode();
        rig.mapLarge(root, HUGE, TO, Rig.P, 3);
        rig.map(root, SMALL, 0x5000, Rig.P);
        rig.cr4(1 << 7);
        rig.map(root, GLOBAL, 0x6000, Rig.P | Rig.G);
    }

    /** A profile whose second level holds 1 GiB pages {@code where}: shared, own or none. */
    private static TestProfile secondLevel(String where) {
        return new TestProfile().set("tlb.second-level.huge", where.equals("shared") ? 1 : 0)
                .array("tlb.second-level-huge", where.equals("own") ? 4 : 0, 1);
    }

    @Test
    @DisplayName("T09 a 1 GiB page is one entry of the array for such pages: every part of it hits the first level")
    void hugeArray() {
        boot(new TestProfile());
        rig.use(HUGE, Rig.SR);
        for (long offset : new long[] {0, PIECE, 77 * PIECE + 0x1234, (1L << 30) - 1}) {
            assertThat(rig.cpu.dataTlb().lookup(HUGE + offset, Rig.SR)).isEqualTo(TO + offset);
        }
        assertThat(rig.cpu.dataTlb().lookup(HUGE, Rig.UR)).as("supervisor page").isNegative();
        assertThat(rig.cpu.dataTlb().lookup(HUGE + (1L << 30), Rig.SR)).as("the next page").isNegative();
        assertThat(rig.cpu.dataTlb().large.isEmpty()).isTrue();
    }

    @Test
    @DisplayName("T09 without an array for 1 GiB pages the first level holds the 2 MiB piece that was used, and only that")
    void withoutHugeArray() {
        boot(new TestProfile());
        rig.use(HUGE + 5 * PIECE, Rig.SF);
        assertThat(rig.cpu.instructionTlb().huge).isNull();
        assertThat(rig.cpu.instructionTlb().lookup(HUGE + 5 * PIECE + 0x1234, Rig.SF)).isEqualTo(TO + 5 * PIECE + 0x1234);
        assertThat(rig.cpu.instructionTlb().lookup(HUGE + 6 * PIECE, Rig.SF)).isNegative();
        assertThat(rig.use(HUGE + 6 * PIECE, Rig.SF)).as("the second level has the page").isEqualTo(TO + 6 * PIECE);
        assertThat(rig.walks()).isEqualTo(1);
        assertThat(rig.cpu.statistics().secondLevelHits()).isEqualTo(1);
    }

    @ParameterizedTest(name = "T09 second level, 1 GiB pages {0}: one that another has taken the first-level entry of costs {1} walks")
    @CsvSource({"shared, 0", "own, 0", "none, 1"})
    void secondLevelOfHugePages(String where, int walks) {
        boot(secondLevel(where).array("tlb.data.huge", 1, 1));
        long other = HUGE + (1L << 30);
        rig.mapLarge(root, other, MOVED, Rig.P, 3);
        rig.use(HUGE, Rig.SR);
        rig.use(other, Rig.SR);
        long before = rig.walks();
        assertThat(rig.use(HUGE + PIECE, Rig.SR)).isEqualTo(TO + PIECE);
        assertThat(rig.walks() - before).isEqualTo(walks);
        assertThat(rig.cpu.statistics().secondLevelHits()).isEqualTo(1 - walks);
    }

    @Test
    @DisplayName("T09 1 GiB pages in their own second-level array take no place of smaller pages, nor these of them")
    void hugePagesApart() {
        boot(secondLevel("own").array("tlb.second-level", 1, 1).array("tlb.data.small", 1, 1).array("tlb.data.huge", 1, 1)
                .array("tlb.second-level-huge", 1, 1));
        rig.use(SMALL, Rig.SR);
        rig.use(HUGE, Rig.SR);
        rig.cpu.dataTlb().small.clear();
        rig.cpu.dataTlb().huge.clear();
        assertThat(rig.use(SMALL, Rig.SR)).isEqualTo(0x5000);
        assertThat(rig.use(HUGE, Rig.SR)).isEqualTo(TO);
        assertThat(rig.walks()).isEqualTo(2);
    }

    @ParameterizedTest(name = "T09 second level of instructions with {0} entries: a fetch after a load takes {1} walks in all, and the load after it no more")
    @CsvSource({"0, 1", "64, 2"})
    void instructions(int entries, int walks) {
        boot(new TestProfile().array("tlb.second-level-instruction", entries, 1));
        rig.use(SMALL, Rig.SR);
        rig.use(SMALL, Rig.SF);
        assertThat(rig.walks()).isEqualTo(walks);
        rig.cpu.dataTlb().small.clear();
        rig.cpu.instructionTlb().small.clear();
        long before = rig.cpu.statistics().secondLevelHits();
        assertThat(rig.use(SMALL, Rig.SF)).isEqualTo(0x5000);
        assertThat(rig.use(SMALL, Rig.SR)).isEqualTo(0x5000);
        assertThat(rig.walks()).isEqualTo(walks);
        assertThat(rig.cpu.statistics().secondLevelHits() - before).isEqualTo(2);
    }

    @ParameterizedTest(name = "T11 1 GiB pages {0}, instructions apart: INVLPG, MOV to CR3 and CR4, INVPCID drop the page from every array")
    @ValueSource(strings = {"shared", "own", "none"})
    void invalidations(String where) {
        Runnable[] operations = {
            () -> rig.cpu.invlpg(HUGE + 300 * PIECE), () -> rig.cpu.movToCr3(root), () -> rig.cpu.movToCr4(0x20),
            () -> rig.cpu.invpcid(0, 0, HUGE + 300 * PIECE), () -> rig.cpu.invpcid(1, 0, 0), () -> rig.cpu.invpcid(2, 0, 0),
        };
        for (int o = -1; o < operations.length; o++) {
            boot(secondLevel(where).array("tlb.second-level-instruction", 64, 4).array("tlb.instruction.huge", 2, 2));
            for (int access : new int[] {Rig.SR, Rig.SF}) {
                rig.use(HUGE, access);
                rig.use(SMALL, access);
            }
            // Not everything that is cached goes, but for the operations that drop globals.
            rig.use(GLOBAL, Rig.SR);
            rig.mapLarge(root, HUGE, MOVED, Rig.P, 3);
            rig.map(root, SMALL, 0x9000, Rig.P);
            if (o >= 0) {
                operations[o].run();
            }
            long expected = o < 0 ? TO : MOVED;
            boolean page = o == 0 || o == 3;
            for (int access : new int[] {Rig.SR, Rig.SF}) {
                assertThat(rig.use(HUGE + PIECE, access)).as("operation %d, access %d", o, access).isEqualTo(expected + PIECE);
                assertThat(rig.use(SMALL, access)).as("operation %d, access %d", o, access).isEqualTo(o < 0 || page ? 0x5000 : 0x9000);
            }
        }
    }

    @ParameterizedTest(name = "T08 1 GiB pages {0}: after SMAP is set a cached 1 GiB user page refuses a supervisor read, after SMEP a fetch")
    @ValueSource(strings = {"shared", "own", "none"})
    void rightsFollowRegisters(String where) {
        boot(secondLevel(where).array("tlb.second-level-instruction", 64, 4).array("tlb.instruction.huge", 2, 2));
        rig.mapLarge(root, HUGE, TO, Rig.P | Rig.U, 3);
        assertThat(rig.use(HUGE, Rig.SR)).isEqualTo(TO);
        assertThat(rig.use(HUGE, Rig.SF)).isEqualTo(TO);
        assertThat(rig.cpu.movToCr4(0xa0 | 1 << 21)).isZero();
        rig.expectFault(HUGE, Rig.SR, 1);
        assertThat(rig.use(HUGE, Rig.SF)).isEqualTo(TO);
    }

    @Test
    @DisplayName("T11 pieces of 1 GiB pages are found page by page: INVLPG of one, then pieces cached anew from the second level, then INVLPG of another")
    void piecesOfSeveralPages() {
        boot(new TestProfile().array("tlb.data.huge", 0, 1));
        long other = HUGE + (1L << 30);
        rig.mapLarge(root, other, TO, Rig.P, 3);
        for (long page : new long[] {HUGE, other}) {
            rig.use(page, Rig.SR);
            rig.use(page + 9 * PIECE, Rig.SR);
        }
        rig.mapLarge(root, HUGE, MOVED, Rig.P, 3);
        rig.mapLarge(root, other, MOVED, Rig.P, 3);
        rig.cpu.invlpg(HUGE + 100 * PIECE);
        assertThat(rig.use(HUGE + 9 * PIECE, Rig.SR)).isEqualTo(MOVED + 9 * PIECE);
        assertThat(rig.use(other + 9 * PIECE, Rig.SR)).as("another page").isEqualTo(TO + 9 * PIECE);
        assertThat(rig.use(other + 11 * PIECE, Rig.SR)).as("from the second level").isEqualTo(TO + 11 * PIECE);
        rig.cpu.invlpg(SMALL);
        assertThat(rig.use(other + 11 * PIECE, Rig.SR)).isEqualTo(TO + 11 * PIECE);
        rig.cpu.invlpg(other + 200 * PIECE);
        for (int piece : new int[] {0, 9, 11}) {
            assertThat(rig.use(other + piece * PIECE, Rig.SR)).as("piece %d", piece).isEqualTo(MOVED + piece * PIECE);
        }
    }

    @Test
    @DisplayName("T11 a piece that the first level takes from the second after all other pieces are gone is dropped with its page")
    void pieceFromTheSecondLevel() {
        boot(new TestProfile().array("tlb.data.huge", 0, 1));
        rig.use(HUGE, Rig.SR);
        // What is left is the entry of the second level, which is no piece; the INVLPG of another page in pieces finds no other either.
        rig.cpu.dataTlb().large.clear();
        rig.mapLarge(root, SMALL + (1L << 30), TO, Rig.P, 3);
        rig.use(SMALL + (1L << 30), Rig.SR);
        rig.cpu.invlpg(SMALL + (1L << 30));
        rig.use(HUGE + 3 * PIECE, Rig.SR);
        rig.mapLarge(root, HUGE, MOVED, Rig.P, 3);
        rig.cpu.invlpg(HUGE);
        assertThat(rig.use(HUGE + 3 * PIECE, Rig.SR)).isEqualTo(MOVED + 3 * PIECE);
    }

    @ParameterizedTest(name = "T11 a {0} guest page on 4 KiB EPT pages: INVLPG of an address that is not cached drops its pieces, and no others")
    @CsvSource({"FOUR_LEVEL, 2", "FOUR_LEVEL, 3", "BITS_32, 2", "PAE, 2"})
    void piecesBySecondDimension(Layout layout, int level) {
        rig = new Rig();
        root = rig.paging(layout);
        rig.cr4(1 << 4);
        long gva = layout.address() & -1L << layout.shift(level);
        long other = gva ^ 1L << layout.shift(level);
        rig.put(root, gva, level, 0x83);
        rig.put(root, other, level, 0x83);
        if (layout == Layout.PAE) {
            rig.pdptes();
        }
        long top = rig.ept(0);
        rig.eptIdentity(top, 8 << 20, 1);
        rig.vmcs.vpid = 1;
        rig.enter();
        for (long page : new long[] {gva, other}) {
            rig.use(page + 0x1000, Rig.SR);
            rig.use(page + 0x3000, Rig.SR);
        }
        // The guest's entries allow nothing any more.
        rig.put(root, gva, level, 0);
        rig.put(root, other, level, 0);
        assertThat(rig.use(gva + 0x1000, Rig.SR)).as("stale").isEqualTo(0x1000);
        assertThat(rig.cpu.invlpg(gva + 0x10_0000)).isZero();
        assertThat(rig.use(other + 0x3000, Rig.SR)).as("another page").isEqualTo(0x3000);
        rig.expectFault(gva + 0x1000, Rig.SR, 0);
        rig.expectFault(gva + 0x3000, Rig.SR, 0);
        assertThat(rig.cpu.invlpg(other)).isZero();
        rig.expectFault(other + 0x3000, Rig.SR, 0);
    }
}
