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
import org.penumbra.api.paging.Pdptes;

/**
 * Vectors derived by hand from SDM vol. 3, "PAE Paging". gva 0xd234_5678 has PDPTE 3, the indexes 145 and 325 and the offset
 * 0x678; in a 2 MiB page the offset is 0x14_5678.
 */
class PaeWalkTest {
    private static final long GVA = 0xd234_5678L;
    private static final long PDE_AT = 0x3000 + 145 * 8;
    private static final long PTE_AT = 0x4000 + 325 * 8;
    private static final PagingState STATE = new PagingState(CR0_PE | CR0_PG, 0x1fe0, 1 << 5, 1 << 11, 0, 0,
            new Pdptes(0, 0, 0, 0x3001));

    private final Memory memory = new Memory();
    private final Walk walk = new Walk();

    @BeforeEach
    void tables() {
        memory.put(PDE_AT, 0x4007);
        memory.put(PTE_AT, 0x5007);
    }

    private int walk(int maxPhyAddr, PagingState state, int access) {
        return new ReferenceWalker(maxPhyAddr).walk(state, GVA, access, memory, walk);
    }

    private int walk(PagingState state, int access) {
        return walk(52, state, access);
    }

    @Test
    @DisplayName("T03 a 4 KiB page, by the PDPTE register of bits 31:30 (\"Linear-Address Translation to a 4-KByte Page using PAE Paging\")")
    void smallPage() {
        assertThat(walk(STATE, Access.READ | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.level).isEqualTo(1);
        assertThat(walk.top).as("registers are no entries in memory").isEqualTo(2);
        assertThat(new long[] {walk.entryGpa(2), walk.entryGpa(1)}).containsExactly(PDE_AT, PTE_AT);
        assertThat(new long[] {walk.entry(2), walk.entry(1)}).containsExactly(0x4007, 0x5007);
    }

    @Test
    @DisplayName("T03 a 2 MiB page, whatever CR4.PSE (\"Linear-Address Translation to a 2-MByte Page using PAE Paging\")")
    void largePage() {
        memory.put(PDE_AT, 0xf_abc0_0087L | 1 << 12);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xf_abc0_0000L + 0x14_5678);
        assertThat(walk.level).isEqualTo(2);
    }

    @Test
    @DisplayName("T03 the registers translate, not the table that CR3 names (\"PDPTE Registers\")")
    void registersNotMemory() {
        memory.put(0x1fe0 + 24, 0x9001);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk(STATE.withPdptes(Pdptes.NONE), Access.READ)).isZero();
        assertThat(walk.lowest).as("no entry was read").isEqualTo(3);
    }

    @ParameterizedTest(name = "T03 access {0}: {1}")
    @DisplayName("T03 a PDPTE register that is not present is a page fault with P = 0 (\"Page-Fault Exceptions\")")
    @CsvSource({"0, 0", "1, 2", "4, 4", "5, 6", "6, 20"})
    void registerNotPresent(int access, int expected) {
        assertThat(walk(STATE.withPdptes(new Pdptes(0x3001, 0x3001, 0x3001, 0x3000)), access)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T03 a guest under nested paging reads its PDPTEs in the walk (APM vol. 2, \"Legacy PAE Mode\")")
    void pdptesInMemory() {
        ReferenceWalker onDemand = new ReferenceWalker(52);
        PagingState noRegisters = STATE.withPdptes(Pdptes.IN_MEMORY);
        assertThat(onDemand.walk(noRegisters, GVA, Access.READ, memory, walk)).as("memory holds none").isZero();
        memory.put(0x1fe0 + 24, 0x3001);
        assertThat(onDemand.walk(noRegisters, GVA, Access.WRITE | Access.USER, memory, walk)).as("a PDPTE has no rights").isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.entryGpa(3)).isEqualTo(0x1ff8);
        assertThat(walk.entryAfter(3, true)).as("nor an accessed flag").isEqualTo(0x3001);
        memory.put(0x1fe0 + 24, 0x3003);
        assertThat(onDemand.walk(noRegisters, GVA, Access.READ, memory, walk)).as("bit 1 is reserved").isEqualTo(9);
    }

    @ParameterizedTest(name = "T08 MAXPHYADDR {0}, level {1}, bit {2}, NXE {3}: {4}")
    @DisplayName("T08 bits 62:MAXPHYADDR are reserved, XD without NXE, bits 20:13 of a 2 MiB leaf (\"Formats of ... PAE Paging\")")
    @CsvSource({
        "36, 2, 35, true, -1", "36, 2, 36, true, 13", "36, 1, 36, true, 13", "52, 2, 52, true, 13", "52, 1, 52, true, 13",
        "52, 1, 59, true, 13", "52, 2, 62, true, 13", "52, 1, 62, true, 13", "52, 1, 63, true, -1", "52, 2, 63, true, -1",
        "52, 1, 63, false, 13", "52, 2, 63, false, 13", "52, 2, 51, true, -1",
        "52, 0, 13, true, 13", "52, 0, 20, true, 13", "52, 0, 12, true, -1", "52, 0, 21, true, -1", "40, 0, 40, true, 13",
        "52, 0, 63, false, 13", "52, 1, 7, true, -1", "52, 1, 11, true, -1", "52, 2, 8, true, -1",
    })
    void reserved(int maxPhyAddr, int level, int bit, boolean nxe, int expected) {
        long at = level == 1 ? PTE_AT : PDE_AT;
        memory.put(at, (level == 1 ? 0x5007 : level == 2 ? 0x4007 : 0x87) | 1L << bit);
        if (level == 2) {
            // the table that the entry then leads to
            memory.put((memory.applyAsLong(PDE_AT) & 0xf_ffff_ffff_f000L) + 325 * 8, 0x5007);
        }
        PagingState state = STATE.withEfer(nxe ? 1 << 11 : 0);
        assertThat(walk(maxPhyAddr, state, Access.READ | Access.USER)).isEqualTo(expected);
    }

    @ParameterizedTest(name = "T06 PDE {0}, PTE {1}, access {2}: {3}")
    @DisplayName("T06 R/W, U/S and XD from PDE and PTE, none from the PDPTE (\"Determination of Access Rights\")")
    @CsvSource({
        "4007, 5007, 5, -1", "4005, 5007, 5, 7", "4007, 5005, 5, 7", "4003, 5007, 4, 5", "4007, 5003, 4, 5",
        "8000000000004007, 5007, 6, 21", "4007, 8000000000005007, 6, 21", "4007, 8000000000005007, 2, 17", "4007, 5007, 6, -1",
    })
    void rights(String pde, String pte, int access, int expected) {
        memory.put(PDE_AT, Long.parseUnsignedLong(pde, 16));
        memory.put(PTE_AT, Long.parseUnsignedLong(pte, 16));
        assertThat(walk(STATE, access)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T06 protection keys do not exist in PAE paging (\"Protection Keys\")")
    void noKeys() {
        PagingState keys = new PagingState(CR0_PE | CR0_PG, 0x1000, CR4_PAE | CR4_PKE | CR4_PKS, EFER_NXE, -1, -1, STATE.pdptes());
        assertThat(walk(keys, Access.WRITE | Access.USER)).isEqualTo(-1);
    }

    @ParameterizedTest(name = "T08 CR4 {0}, EFER {1}: {2}")
    @DisplayName("T08 I/D is reported with NXE or SMEP (\"Page-Fault Exceptions\")")
    @CsvSource({"20, 0, 4", "20, 800, 20", "100020, 0, 20"})
    void fetchBit(String cr4, String efer, int expected) {
        memory.put(PTE_AT, 0);
        PagingState state = STATE.withCr4(Long.parseLong(cr4, 16)).withEfer(Long.parseLong(efer, 16));
        assertThat(walk(state, Access.FETCH | Access.USER)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T07 A in PDE and PTE, D in the leaf of a write (\"Accessed and Dirty Flags\")")
    void flags() {
        walk(STATE, Access.WRITE);
        assertThat(walk.entryAfter(2, true)).isEqualTo(0x4027);
        assertThat(walk.entryAfter(1, true)).isEqualTo(0x5067);
        memory.put(PDE_AT, 0x4027);
        memory.put(PTE_AT, 0x5027);
        walk(STATE, Access.READ);
        assertThat(walk.flagsSet(false)).isTrue();
        assertThat(walk.flagsSet(true)).isFalse();
    }
}
