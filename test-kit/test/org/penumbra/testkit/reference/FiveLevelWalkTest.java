package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * Vectors derived by hand from SDM vol. 3, "4-Level Paging and 5-Level Paging", with CR4.LA57 = 1.
 *
 * <p>gva 0x00ab_7fff_1234_5678 has the indexes 171, 255, 508, 145, 325 and the offset 0x678.
 */
class FiveLevelWalkTest {
    private static final long GVA = 0x00ab_7fff_1234_5678L;
    private static final PagingState STATE = new PagingState(CR0_PE | CR0_PG, 0x9000, 1 << 5 | 1 << 12, 0xd00, 0, 0);
    private static final long[] AT = {0, 0x4000 + 325 * 8, 0x3000 + 145 * 8, 0x2000 + 508 * 8, 0x1000 + 255 * 8, 0x9000 + 171 * 8};

    private final Memory memory = new Memory();
    private final Walk walk = new Walk();

    @BeforeEach
    void tables() {
        memory.put(AT[5], 0x1007);
        memory.put(AT[4], 0x2007);
        memory.put(AT[3], 0x3007);
        memory.put(AT[2], 0x4007);
        memory.put(AT[1], 0x5007);
    }

    private int walk(int maxPhyAddr, PagingState state, int access) {
        return new ReferenceWalker(maxPhyAddr).walk(state, GVA, access, memory, walk);
    }

    private int walk(PagingState state, int access) {
        return walk(52, state, access);
    }

    @Test
    @DisplayName("T05 a 4 KiB page: bits 56:48 select a PML5E (\"Linear-Address Translation to a 4-KByte Page using 5-Level Paging\")")
    void smallPage() {
        assertThat(walk(STATE, Access.WRITE | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.top).isEqualTo(5);
        assertThat(walk.lowest).isEqualTo(1);
        for (int level = 1; level <= 5; level++) {
            assertThat(walk.entryGpa(level)).isEqualTo(AT[level]);
            assertThat(walk.entryAfter(level, true)).isEqualTo(level == 1 ? 0x5067 : (6 - level) * 0x1000 + 0x27);
        }
    }

    @Test
    @DisplayName("T05 the upper half: bits 63:57 repeat bit 56 and select nothing")
    void upperHalf() {
        memory.put(0x9000 + 511 * 8, 0x1007);
        long gva = 0xffff_7fff_1234_5678L;
        assertThat(new ReferenceWalker(52).walk(STATE, gva, Access.READ, memory, walk)).isEqualTo(-1);
        assertThat(walk.entryGpa(5)).isEqualTo(0x9ff8);
        assertThat(walk.gpa).isEqualTo(0x5678);
    }

    @Test
    @DisplayName("T05 2 MiB and 1 GiB pages")
    void largePages() {
        memory.put(AT[2], 0xabc0_0087L);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xabc0_0000L + 0x14_5678);
        memory.put(AT[3], 0x12_8000_0087L);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x12_8000_0000L + 0x1234_5678);
        assertThat(walk.level).isEqualTo(3);
    }

    @Test
    @DisplayName("T05 the same registers without LA57 begin at the PML4")
    void withoutLa57() {
        memory.put(0x9000 + 255 * 8, 0x2007);
        assertThat(walk(STATE.withCr4(CR4_PAE), Access.READ)).isEqualTo(-1);
        assertThat(walk.top).isEqualTo(4);
        assertThat(walk.entryGpa(4)).isEqualTo(0x9000 + 255 * 8);
    }

    @ParameterizedTest(name = "T08 level {0}, bit {1}, MAXPHYADDR {2}: {3}")
    @DisplayName("T08 PS is reserved in PML5E and PML4E; address bits from MAXPHYADDR up (\"Reserved Bits\")")
    @CsvSource({"5, 7, 52, 13", "4, 7, 52, 13", "5, 51, 51, 13", "5, 51, 52, -1", "5, 52, 52, -1", "5, 8, 52, -1", "5, 62, 52, -1"})
    void reserved(int level, int bit, int maxPhyAddr, int expected) {
        memory.put(AT[level], memory.applyAsLong(AT[level]) | 1L << bit);
        // tables stand at the higher address too
        for (int l = 4; l >= 1; l--) {
            memory.put(AT[l] + (1L << 51), memory.applyAsLong(AT[l]));
        }
        assertThat(walk(maxPhyAddr, STATE, Access.READ | Access.USER)).isEqualTo(expected);
    }

    @ParameterizedTest(name = "T06 PML5E 0x{0}, access {1}: {2}")
    @DisplayName("T06 the PML5E takes part in R/W, U/S and XD (\"Determination of Access Rights\")")
    @CsvSource({"1005, 5, 7", "1003, 4, 5", "8000000000001007, 6, 21", "1006, 4, 4", "1007, 6, -1"})
    void rights(String pml5e, int access, int expected) {
        memory.put(AT[5], Long.parseUnsignedLong(pml5e, 16));
        assertThat(walk(STATE, access)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T06 protection keys exist in 5-level paging: of the leaf, not of the PML5E (\"Protection Keys\")")
    void keys() {
        PagingState keys = STATE.withCr4(CR4_PAE | CR4_LA57 | CR4_PKE).withPkru(1 << 2 * 3);
        memory.put(AT[5], 0x1007 | 3L << 59);
        assertThat(walk(keys, Access.READ | Access.USER)).isEqualTo(-1);
        memory.put(AT[1], 0x5007 | 3L << 59);
        assertThat(walk(keys, Access.READ | Access.USER)).isEqualTo(37);
    }

    @Test
    @DisplayName("T07 after a fault A may be set in the entries that were used, and nothing else (\"Accessed and Dirty Flags\")")
    void flagsAfterAFault() {
        memory.put(AT[1], 0x5005);
        assertThat(walk(STATE, Access.WRITE | Access.USER)).isEqualTo(7);
        assertThat(walk.mayBecome(5, 0x1007, true)).isTrue();
        assertThat(walk.mayBecome(5, 0x1027, true)).isTrue();
        assertThat(walk.mayBecome(1, 0x5025, true)).isTrue();
        assertThat(walk.mayBecome(1, 0x5065, true)).as("D of a refused write").isFalse();
        memory.put(AT[1], 0x5006);
        assertThat(walk(STATE, Access.WRITE | Access.USER)).isEqualTo(6);
        assertThat(walk.mayBecome(2, 0x4027, true)).isTrue();
        assertThat(walk.mayBecome(1, 0x5026, true)).as("an entry that is not present is not used").isFalse();
        memory.put(AT[1], 0x5007);
        assertThat(walk(STATE, Access.WRITE | Access.USER)).isEqualTo(-1);
        assertThat(walk.mayBecome(1, 0x5067, true)).isTrue();
        assertThat(walk.mayBecome(1, 0x5027, true)).as("an allowed write sets D").isFalse();
        assertThat(walk.mayBecome(5, 0x1007, true)).as("and A everywhere").isFalse();
    }
}
