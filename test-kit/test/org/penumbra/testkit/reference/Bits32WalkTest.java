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
 * Vectors derived by hand from SDM vol. 3, "32-Bit Paging". gva 0x1234_5678 has the indexes 72 and 837 and the offset 0x678; in
 * a 4 MiB page the offset is 0x34_5678.
 */
class Bits32WalkTest {
    private static final long GVA = 0x1234_5678L;
    private static final long PDE_AT = 0x1000 + 72 * 4;
    private static final long PTE_AT = 0x2000 + 837 * 4;
    private static final PagingState STATE = new PagingState(CR0_PE | CR0_PG, 0x1000, 0, 0, 0, 0);
    private static final PagingState PSE = STATE.withCr4(1 << 4);

    private final Memory memory = new Memory();
    private final Walk walk = new Walk();

    @BeforeEach
    void tables() {
        memory.put4(PDE_AT, 0x2007);
        memory.put4(PTE_AT, 0x5007);
        memory.put4(PDE_AT + 4, 0xffff_ffffL);
        memory.put4(PTE_AT - 4, 0xffff_ffffL);
    }

    private int walk(int maxPhyAddr, PagingState state, int access) {
        return new ReferenceWalker(maxPhyAddr).walk(state, GVA, access, memory, walk);
    }

    private int walk(PagingState state, int access) {
        return walk(40, state, access);
    }

    @Test
    @DisplayName("T02 a 4 KiB page (\"Linear-Address Translation to a 4-KByte Page using 32-Bit Paging\")")
    void smallPage() {
        assertThat(walk(STATE, Access.READ | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.level).isEqualTo(1);
        assertThat(walk.top).isEqualTo(2);
        assertThat(walk.lowest).isEqualTo(1);
        assertThat(walk.rights).isEqualTo(0b110);
        assertThat(new long[] {walk.entryGpa(2), walk.entryGpa(1)}).containsExactly(0x1120, 0x2d14);
        assertThat(new long[] {walk.entry(2), walk.entry(1)}).containsExactly(0x2007, 0x5007);
    }

    @Test
    @DisplayName("T02 frames of 4-byte entries and CR3 have bits 31:12, nothing above")
    void highFrames() {
        memory.put4(0xffff_f120L, 0xffff_e007L);
        memory.put4(0xffff_ed14L, 0xffff_d007L);
        assertThat(walk(STATE.withCr3(0xf_ffff_f000L), Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xffff_d678L);
        assertThat(walk.entryGpa(2)).isEqualTo(0xffff_f120L);
    }

    @Test
    @DisplayName("T02 a 4 MiB page with CR4.PSE (\"Linear-Address Translation to a 4-MByte Page using 32-Bit Paging\")")
    void largePage() {
        memory.put4(PDE_AT, 0xabc0_0087L);
        assertThat(walk(PSE, Access.WRITE | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xabc0_0000L + 0x34_5678);
        assertThat(walk.level).isEqualTo(2);
        assertThat(walk.lowest).isEqualTo(2);
    }

    @Test
    @DisplayName("T02 bit 7 of a PDE is ignored while CR4.PSE = 0, and so are the bits that a 4 MiB page reserves")
    void withoutPse() {
        memory.put4(PDE_AT, 0x2087);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.level).isEqualTo(1);
        memory.put4(PTE_AT, 0x5087);
        assertThat(walk(PSE.withCr4(0), Access.READ)).as("bit 7 of a PTE is PAT").isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
    }

    @Test
    @DisplayName("T02 PSE-36: bits 20:13 of a 4 MiB leaf are bits 39:32 of the page (\"Format of a 32-Bit Page-Directory Entry that "
            + "Maps a 4-MByte Page\")")
    void pse36() {
        memory.put4(PDE_AT, 0xabc0_0087L | 0x9c << 13);
        assertThat(walk(40, PSE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x9c_abc0_0000L + 0x34_5678);
        assertThat(walk(52, PSE, Access.READ)).as("40 bits are the most").isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x9c_abc0_0000L + 0x34_5678);
    }

    @ParameterizedTest(name = "T02 MAXPHYADDR {0}, bit {1} of a 4 MiB leaf: {2}")
    @DisplayName("T02 bits 21:(M−19) of a 4 MiB leaf are reserved, M being MAXPHYADDR but at most 40; 1 + 4 + 8")
    @CsvSource({
        "32, 12, -1", "32, 13, 13", "32, 20, 13", "32, 21, 13", "36, 16, -1", "36, 17, 13", "36, 21, 13", "40, 20, -1", "40, 21, 13",
        "52, 20, -1", "52, 21, 13", "32, 22, -1", "39, 19, -1", "39, 20, 13"
    })
    void reservedInLargePage(int maxPhyAddr, int bit, int expected) {
        memory.put4(PDE_AT, 0x87 | 1 << bit);
        assertThat(walk(maxPhyAddr, PSE, Access.READ | Access.USER)).isEqualTo(expected);
        memory.put4(PDE_AT, 0x2087 | 1 << bit);
        memory.put4((memory.applyAsLong(PDE_AT) & 0xffff_f000L) + 837 * 4, 0x5007);
        assertThat(walk(maxPhyAddr, PSE.withCr4(0), Access.READ | Access.USER)).as("nothing is reserved without PSE").isEqualTo(-1);
    }

    @Test
    @DisplayName("T08 nothing but the 4 MiB leaf has reserved bits in 32-bit paging")
    void noOtherReservedBits() {
        memory.put4(PDE_AT, 0x2f7f);
        memory.put4(PTE_AT, 0xffff_ffffL);
        assertThat(walk(32, PSE, Access.WRITE | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xffff_f678L);
    }

    @ParameterizedTest(name = "T08 CR4 {0} EFER {1}: {2}")
    @DisplayName("T08 I/D is reported with SMEP only: EFER.NXE has no effect without CR4.PAE (\"Page-Fault Exceptions\")")
    @CsvSource({"0, 0, 4", "0, 800, 4", "100000, 0, 20", "100000, 800, 20"})
    void fetchBit(String cr4, String efer, int expected) {
        memory.put4(PTE_AT, 0);
        PagingState state = STATE.withCr4(Long.parseLong(cr4, 16)).withEfer(Long.parseLong(efer, 16));
        assertThat(walk(state, Access.FETCH | Access.USER)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T06 XD does not exist with 4-byte entries: every user page is executable, NXE or not (\"Determination of Access Rights\")")
    void noExecuteDisable() {
        assertThat(walk(STATE.withEfer(EFER_NXE), Access.FETCH | Access.USER)).isEqualTo(-1);
        assertThat(walk(STATE.withEfer(EFER_NXE), Access.FETCH)).isEqualTo(-1);
    }

    @ParameterizedTest(name = "T06 PDE {0}, PTE {1}, CR0 {2}, CR4 {3}, access {4}: {5}")
    @DisplayName("T06 WP, SMEP and SMAP in 32-bit paging, from both entries (\"Determination of Access Rights\")")
    @CsvSource({
        "7, 5, 0,     0,      6, -1", "7, 5, 10000, 0,      1, 3",  "7, 5, 0,     0,      5, 7", "7, 5, 0, 0, 1, -1",
        "5, 7, 10000, 0,      1, 3",  "3, 7, 0,     0,      4, 5",  "7, 3, 0,     0,      4, 5",
        "7, 7, 0,     100000, 2, 17", "7, 3, 0,     100000, 2, -1", "3, 7, 0,     100000, 2, -1",
        "7, 7, 0,     200000, 0, 1",  "7, 7, 0,     200000, 8, -1", "7, 7, 0,     200000, 1, 3", "7, 3, 0,  200000, 0, -1",
    })
    void rights(String pde, String pte, String cr0, String cr4, int access, int expected) {
        memory.put4(PDE_AT, 0x2000 | Long.parseLong(pde, 16));
        memory.put4(PTE_AT, 0x5000 | Long.parseLong(pte, 16));
        PagingState state = new PagingState(CR0_PE | CR0_PG | Long.parseLong(cr0, 16), 0x1000, Long.parseLong(cr4, 16), 0, 0, 0);
        assertThat(walk(state, access)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T06 protection keys do not exist outside IA-32e mode, whatever CR4 and PKRU hold (\"Protection Keys\")")
    void noKeys() {
        PagingState keys = new PagingState(CR0_PE | CR0_PG, 0x1000, CR4_PKE | CR4_PKS, 0, -1, -1);
        assertThat(walk(keys, Access.WRITE | Access.USER)).isEqualTo(-1);
        memory.put4(PTE_AT, 0x5003);
        assertThat(walk(keys, Access.WRITE)).isEqualTo(-1);
    }

    @Test
    @DisplayName("T08 a not-present PDE, a not-present PTE: P = 0 (\"Page-Fault Exceptions\")")
    void notPresent() {
        memory.put4(PTE_AT, 0xffff_fffeL);
        assertThat(walk(PSE, Access.WRITE | Access.USER)).isEqualTo(6);
        assertThat(walk.lowest).isEqualTo(1);
        memory.put4(PDE_AT, 0xffff_fffeL);
        assertThat(walk(PSE, Access.READ)).isEqualTo(0);
        assertThat(walk.lowest).isEqualTo(2);
    }

    @Test
    @DisplayName("T07 A in both entries, D in the leaf of a write; none in the PDE above it (\"Accessed and Dirty Flags\")")
    void flags() {
        walk(STATE, Access.WRITE);
        assertThat(walk.flagsSet(false)).isFalse();
        assertThat(walk.entryAfter(2, true)).isEqualTo(0x2027);
        assertThat(walk.entryAfter(1, true)).isEqualTo(0x5067);
        assertThat(walk.entryAfter(1, false)).isEqualTo(0x5027);
        memory.put4(PDE_AT, 0x0040_0087);
        walk(PSE, Access.WRITE);
        assertThat(walk.entryAfter(2, true)).isEqualTo(0x0040_00e7);
        memory.put4(PDE_AT, 0x0040_00e7);
        walk(PSE, Access.WRITE);
        assertThat(walk.flagsSet(true)).isTrue();
    }
}
