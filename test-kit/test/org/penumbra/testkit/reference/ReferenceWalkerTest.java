package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * Vectors derived by hand from the tables of SDM vol. 3, chapter "Paging". Entry values and addresses are literals, so that a
 * wrong bit table cannot agree with itself.
 *
 * <p>gva 0x7fff_1234_5678 has the indexes 255, 508, 145, 325 and the 4 KiB offset 0x678.
 */
class ReferenceWalkerTest {
    private static final long GVA = 0x7fff_1234_5678L;
    private static final PagingState STATE = PagingState.longMode(0x1000);
    private static final long PML4E_AT = 0x1000 + 255 * 8;
    private static final long PDPTE_AT = 0x2000 + 508 * 8;
    private static final long PDE_AT = 0x3000 + 145 * 8;
    private static final long PTE_AT = 0x4000 + 325 * 8;

    private final Map<Long, Long> memory = new HashMap<>();
    private final Walk walk = new Walk();

    /** Four levels down to the frame at 0x5000, present, writable, user. */
    private void fourLevels() {
        memory.put(PML4E_AT, 0x2007L);
        memory.put(PDPTE_AT, 0x3007L);
        memory.put(PDE_AT, 0x4007L);
        memory.put(PTE_AT, 0x5007L);
    }

    private int walk(PagingState state, int access) {
        return walk(52, state, access);
    }

    private int walk(int maxPhyAddr, PagingState state, int access) {
        return new ReferenceWalker(maxPhyAddr).walk(state, GVA, access, gpa -> memory.getOrDefault(gpa, 0L), walk);
    }

    @Test
    @DisplayName("T01 without paging linear is guest-physical (\"Paging Modes and Control Bits\")")
    void noPaging() {
        assertThat(walk(new PagingState(CR0_PE, 0x1000, 0, 0, 0, 0), Access.WRITE)).isEqualTo(-1);
        assertThat(walk.gpa).as("32 bits wide").isEqualTo(0x1234_5678L);
        assertThat(walk.level).isZero();
        assertThat(walk.flagsSet(true)).as("no entry, no flag to set").isTrue();
    }

    @Test
    @DisplayName("T04 a 4 KiB page (\"Linear-Address Translation to a 4-KByte Page using 4-Level Paging\")")
    void smallPage() {
        fourLevels();
        assertThat(walk(STATE, Access.READ | Access.USER)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.level).isEqualTo(1);
        assertThat(walk.rights).isEqualTo(0b110);
        assertThat(new long[] {walk.entryGpa(4), walk.entryGpa(3), walk.entryGpa(2), walk.entryGpa(1)})
                .containsExactly(PML4E_AT, PDPTE_AT, PDE_AT, PTE_AT);
        assertThat(new long[] {walk.entry(4), walk.entry(3), walk.entry(2), walk.entry(1)})
                .containsExactly(0x2007, 0x3007, 0x4007, 0x5007);
    }

    @Test
    @DisplayName("T04 a 2 MiB page (\"Linear-Address Translation to a 2-MByte Page using 4-Level Paging\")")
    void largePage() {
        fourLevels();
        memory.put(PDE_AT, 0xabc0_0087L | 1 << 12);
        assertThat(walk(STATE, Access.READ)).as("bit 12 is a memory type, not address and not reserved").isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0xabd4_5678L);
        assertThat(walk.level).isEqualTo(2);
        assertThat(walk.lowest).isEqualTo(2);
    }

    @Test
    @DisplayName("T04 a 1 GiB page (\"Linear-Address Translation to a 1-GByte Page using 4-Level Paging\")")
    void hugePage() {
        fourLevels();
        memory.put(PDPTE_AT, 0x12_8000_0087L);
        assertThat(walk(STATE, Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x12_9234_5678L);
        assertThat(walk.level).isEqualTo(3);
    }

    @Test
    @DisplayName("T04 PCID bits of CR3 and the PAT bit of a PTE are no address bits")
    void noAddressBits() {
        fourLevels();
        memory.put(PTE_AT, 0x5087L);
        assertThat(walk(STATE.withCr4(CR4_PAE | CR4_PCIDE).withCr3(0x1fff), Access.READ)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
    }

    @ParameterizedTest(name = "T06 page {0}, controls {1}, access {2}: {3}")
    @DisplayName("T06 rights (\"Determination of Access Rights\") and their error codes (\"Page-Fault Exceptions\")")
    @CsvSource({
        // user accesses: to user pages only, by R/W and XD; P=1 W=2 U=4 I=16
        "U W,  '',       ur, -1", "U W, '',       uw, -1", "U W, '',        ux, -1",
        "U,    '',       ur, -1", "U,   '',       uw,  7", "U,   WP,        uw,  7",
        "W,    '',       ur,  5", "W,   '',       uw,  7", "W,   NXE,       ux, 21",
        "U X,  NXE,      ur, -1", "U X, NXE,      ux, 21", "W,   '',        ux,  5",
        "W,    SMEP,     ux, 21",
        // supervisor data accesses: R/W counts with CR0.WP only
        "'',   '',       sr, -1", "'',  '',       sw, -1", "'',  WP,        sw,  3",
        "W,    WP,       sw, -1", "U,   WP,       sw,  3", "U,   '',        sw, -1",
        // SMAP forbids supervisor data accesses to user pages, unless EFLAGS.AC = 1
        "U W,  SMAP,     sr,  1", "U W, SMAP,     sw,  3", "U W, SMAP,     sra, -1",
        "U W,  SMAP WP, swa, -1", "U,   SMAP WP, swa,  3", "U,   SMAP,     swa, -1",
        "W,    SMAP,     sr, -1", "U W, SMAP,     sx, -1", "U W, SMAP,      ur, -1",
        // SMEP forbids supervisor fetches from user pages
        "U W,  SMEP,     sx, 17", "W,   SMEP,     sx, -1", "U W, SMEP,      ux, -1",
        "U W,  '',       sx, -1", "X,   NXE,      sx, 17", "X,   NXE SMEP,  sx, 17",
        "U X,  NXE,      sx, 17", "U W, SMEP,     sr, -1",
    })
    void rights(String page, String controls, String access, int expected) {
        fourLevels();
        long leaf = 0x5001L | (page.contains("U") ? 4 : 0) | (page.contains("W") ? 2 : 0) | (page.contains("X") ? 1L << 63 : 0);
        memory.put(PTE_AT, leaf);
        assertThat(walk(state(controls), access(access))).isEqualTo(expected);
        assertThat(walk.outcome).isEqualTo(expected);
    }

    private static PagingState state(String controls) {
        return new PagingState(
                CR0_PE | CR0_PG | (controls.contains("WP") ? 1L << 16 : 0),
                0x1000,
                CR4_PAE | (controls.contains("SMEP") ? 1L << 20 : 0) | (controls.contains("SMAP") ? 1L << 21 : 0),
                EFER_LME | EFER_LMA | (controls.contains("NXE") ? 1L << 11 : 0), 0, 0);
    }

    private static int access(String s) {
        int operation = s.charAt(1) == 'w' ? Access.WRITE : s.charAt(1) == 'x' ? Access.FETCH : Access.READ;
        return operation | (s.charAt(0) == 'u' ? Access.USER : 0) | (s.endsWith("a") && s.length() == 3 ? Access.AC : 0);
    }

    @ParameterizedTest(name = "T06 bit {1} of the entry at level {0}")
    @DisplayName("T06 every entry of the walk takes part in U/S, R/W and XD")
    @CsvSource({"4,1,7", "3,1,7", "2,1,7", "1,1,7", "4,2,5", "3,2,5", "2,2,5", "1,2,5", "4,63,21", "3,63,21", "2,63,21", "1,63,21"})
    void everyLevel(int level, int bit, int expected) {
        fourLevels();
        long at = new long[] {0, PTE_AT, PDE_AT, PDPTE_AT, PML4E_AT}[level];
        memory.computeIfPresent(at, (a, e) -> bit == 63 ? e | 1L << 63 : e & ~(1L << bit));
        int access = bit == 1 ? Access.WRITE : bit == 2 ? Access.READ : Access.FETCH;
        assertThat(walk(STATE, access | Access.USER)).isEqualTo(expected);
    }

    @ParameterizedTest(name = "T06 user page {0}, key rights {1}, CR4 PKE {2} PKS {3}, WP {4}, access {5}: {6}")
    @DisplayName("T06 protection keys (\"Protection Keys\"): PKRU for user pages, PKRS for supervisor pages; error code bit 5")
    @CsvSource({
        // AD refuses every data access to a user page, WD writes: of supervisor mode with CR0.WP only
        "true,  AD, true,  false, true,  ur, 37", "true,  AD, true,  false, true,  uw, 39", "true,  AD, true,  false, false, sr, 33",
        "true,  WD, true,  false, true,  ur, -1", "true,  WD, true,  false, false, uw, 39", "true,  WD, true,  false, true,  sw, 35",
        "true,  WD, true,  false, false, sw, -1", "true,  AD, true,  false, true,  ux, -1", "true,  AD, false, true,  true,  ur, -1",
        // PKRS likewise for supervisor pages
        "false, AD, false, true,  true,  sr, 33", "false, WD, false, true,  true,  sw, 35", "false, WD, false, true,  false, sw, -1",
        "false, AD, true,  false, true,  sr, -1", "false, AD, false, true,  true,  sx, -1",
        // the key is reported beside another violation
        "false, AD, false, true,  true,  ur, 37",
    })
    void protectionKeys(boolean userPage, String right, boolean pke, boolean pks, boolean wp, String access, int expected) {
        fourLevels();
        long key = 11;
        memory.put(PTE_AT, 0x5003L | (userPage ? 4 : 0) | key << 59);
        int register = (right.equals("AD") ? 1 : 2) << 22;
        PagingState state = new PagingState(CR0_PE | CR0_PG | (wp ? CR0_WP : 0), 0x1000,
                CR4_PAE | (pke ? 1L << 22 : 0) | (pks ? 1L << 24 : 0), EFER_LME | EFER_LMA | EFER_NXE,
                userPage ? register : 0, userPage ? 0 : register);
        assertThat(walk(state, access(access))).isEqualTo(expected);
        memory.put(PTE_AT, 0x5003L | (userPage ? 4 : 0) | 10L << 59);
        int otherKey = walk(state, access(access));
        assertThat(otherKey).as("another key").isEqualTo(!userPage && access.startsWith("u") ? 5 : -1);
    }

    @ParameterizedTest(name = "T08 {0} at an absent entry of level {1}: {2}")
    @DisplayName("T08 error code of a not-present entry (\"Page-Fault Exceptions\"): P = 0, whatever else the entry holds")
    @CsvSource({"sr,4,0", "sw,3,2", "ur,2,4", "uw,1,6", "ux,1,20", "sx,4,16"})
    void notPresent(String access, int level, int expected) {
        fourLevels();
        memory.put(new long[] {0, PTE_AT, PDE_AT, PDPTE_AT, PML4E_AT}[level], 0xffff_ffff_ffff_fffeL);
        assertThat(walk(STATE, access(access))).isEqualTo(expected);
        assertThat(walk.lowest).isEqualTo(level);
    }

    @Test
    @DisplayName("T08 I/D is reported only with SMEP or NXE (\"Page-Fault Exceptions\")")
    void fetchBit() {
        assertThat(walk(state(""), Access.FETCH | Access.USER)).isEqualTo(4);
        assertThat(walk(state("SMEP"), Access.FETCH | Access.USER)).isEqualTo(4 | 16);
        assertThat(walk(state("NXE"), Access.FETCH | Access.USER)).isEqualTo(4 | 16);
    }

    @ParameterizedTest(name = "T08 MAXPHYADDR {0}: level {1} entry 0x{2}, NXE {3}: {4}")
    @DisplayName("T08 reserved bits by level, MAXPHYADDR and EFER.NXE (\"Reserved Bits\"): P and RSVD")
    @CsvSource({
        "52, 4, 2087,             true,  13", "52, 4, 2007,             true,  -1",
        "52, 3, 20000087,         true,  13", "52, 3, 2087,             true,  13", "52, 3, 40001087,  true, -1",
        "52, 2, 100087,           true,  13", "52, 2, 2087,             true,  13", "52, 2, 201087,    true, -1",
        "52, 1, 8000000000005007, false, 13", "52, 4, 8000000000002007, false, 13", "52, 1, 8000000000005007, true, -1",
        "46, 1, 400000005007,     true,  13", "46, 4, 8000000002007,    true,  13", "46, 2, 400000000087,     true, 13",
        "46, 1, 200000005007,     true,  -1", "52, 1, 8000000005007,    true,  -1", "40, 1, 10000005007, true, 13",
        "52, 1, 7ff0000000005fff, true,  -1",
    })
    void reservedBits(int maxPhyAddr, int level, String entry, boolean nxe, int expected) {
        fourLevels();
        memory.put(new long[] {0, PTE_AT, PDE_AT, PDPTE_AT, PML4E_AT}[level], Long.parseUnsignedLong(entry, 16));
        assertThat(walk(maxPhyAddr, state(nxe ? "NXE WP" : "WP"), Access.READ | Access.USER)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T07 accessed flags of every level and the dirty flag of the leaf are reported (\"Accessed and Dirty Flags\")")
    void flags() {
        fourLevels();
        memory.put(PML4E_AT, 0x2027L);
        memory.put(PDPTE_AT, 0x3027L);
        memory.put(PDE_AT, 0x4027L);
        memory.put(PTE_AT, 0x5027L);
        walk(STATE, Access.WRITE);
        assertThat(walk.flagsSet(false)).isTrue();
        assertThat(walk.flagsSet(true)).isFalse();
        memory.put(PTE_AT, 0x5067L);
        walk(STATE, Access.WRITE);
        assertThat(walk.flagsSet(true)).isTrue();
        memory.put(PDPTE_AT, 0x3007L);
        walk(STATE, Access.WRITE);
        assertThat(walk.flagsSet(false)).isFalse();
    }
}
