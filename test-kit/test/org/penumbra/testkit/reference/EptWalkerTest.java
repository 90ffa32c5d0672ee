package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.reference.EptWalk.Outcome.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.testkit.reference.EptWalk.Outcome;

/**
 * Vectors derived by hand from SDM vol. 3, "The Extended Page Table Mechanism (EPT)". Accesses are 1 read, 2 write, 4 fetch, as in
 * the exit qualification.
 *
 * <p>gpa 0x7fff_1234_5678 has the indexes 255, 508, 145, 325 and the offset 0x678.
 */
class EptWalkerTest {
    private static final long GPA = 0x7fff_1234_5678L;
    private static final long[] AT = {0, 0x4000 + 325 * 8, 0x3000 + 145 * 8, 0x2000 + 508 * 8, 0x1000 + 255 * 8};
    /** Write-back, 4 levels; with bit 6: accessed and dirty flags. */
    private static final long EPTP = 0x101e;
    private static final long EPTP_FLAGS = 0x105e;

    private final Memory memory = new Memory();
    private final EptWalk walk = new EptWalk();

    @BeforeEach
    void tables() {
        memory.put(AT[4], 0x2007);
        memory.put(AT[3], 0x3007);
        memory.put(AT[2], 0x4007);
        memory.put(AT[1], 0x5037);
    }

    private Outcome walk(long eptp, int access) {
        return new EptWalker(46, true, false).walk(eptp, GPA, access, false, memory, walk);
    }

    @Test
    @DisplayName("T13 a 4 KiB page (\"EPT Translation Mechanism\"): bits 5:3 are its memory type, bit 6 ignores PAT")
    void smallPage() {
        assertThat(walk(EPTP, 1)).isEqualTo(ALLOWED);
        assertThat(walk.hpa).isEqualTo(0x5678);
        assertThat(walk.level).isEqualTo(1);
        assertThat(walk.memoryType).isEqualTo(6);
        assertThat(walk.ignorePat).isFalse();
        for (int level = 1; level <= 4; level++) {
            assertThat(walk.entryHpa(level)).isEqualTo(AT[level]);
        }
        memory.put(AT[1], 0x5047);
        assertThat(walk(EPTP, 1)).isEqualTo(ALLOWED);
        assertThat(walk.memoryType).isZero();
        assertThat(walk.ignorePat).isTrue();
    }

    @Test
    @DisplayName("T13 2 MiB and 1 GiB pages")
    void largePages() {
        memory.put(AT[2], 0xabc0_00b7L);
        assertThat(walk(EPTP, 2)).isEqualTo(ALLOWED);
        assertThat(walk.hpa).isEqualTo(0xabc0_0000L + 0x14_5678);
        assertThat(walk.level).isEqualTo(2);
        memory.put(AT[3], 0x12_8000_00b7L);
        assertThat(walk(EPTP, 4)).isEqualTo(ALLOWED);
        assertThat(walk.hpa).isEqualTo(0x12_8000_0000L + 0x1234_5678);
        assertThat(walk.level).isEqualTo(3);
    }

    @Test
    @DisplayName("T13 5 levels: EPTP bits 5:3 are 4, gpa bits 56:48 select a PML5E")
    void fiveLevels() {
        memory.put(0x9000 + 9 * 8, 0x1007);
        EptWalker walker = new EptWalker(52, true, false);
        assertThat(walker.walk(0x9026, 9L << 48 | GPA, 1, false, memory, walk)).isEqualTo(ALLOWED);
        assertThat(walk.hpa).isEqualTo(0x5678);
        assertThat(walk.top).isEqualTo(5);
        memory.put(0x9000 + 9 * 8, 0x1087);
        assertThat(walker.walk(0x9026, 9L << 48 | GPA, 1, false, memory, walk)).as("bit 7 is reserved").isEqualTo(MISCONFIGURATION);
    }

    @Test
    @DisplayName("T13 with 4 levels a gpa beyond 48 bits is a violation, bits 5:3 clear (\"Exit Qualification for EPT Violations\", note)")
    void beyondFourLevels() {
        assertThat(new EptWalker(52, true, false).walk(EPTP, 1L << 48 | GPA, 2, false, memory, walk)).isEqualTo(VIOLATION);
        assertThat(walk.qualification).isEqualTo(2);
    }

    @ParameterizedTest(name = "T13 PML4E {0}, PDPTE {1}, PDE {2}, PTE {3}, access {4}: qualification 0x{5}")
    @DisplayName("T13 violations and bits 5:0 of the exit qualification: rights are those of every entry used (\"EPT Violations\")")
    @CsvSource({
        "7, 7, 7, 5, 2, 2a", "7, 7, 7, 1, 4, c", "7, 7, 7, 4, 1, 21", "7, 7, 7, 4, 2, 22", "7, 7, 5, 7, 2, 2a", "7, 3, 7, 7, 4, 1c",
        "5, 7, 7, 3, 2, a", "7, 7, 7, 1, 3, b", "4, 7, 7, 7, 1, 21", "1, 7, 7, 4, 1, 1", "1, 7, 7, 4, 4, 4",
        // not present at a level: bits 5:3 are clear whatever the levels above say
        "7, 7, 7, 0, 1, 1", "7, 7, 0, 7, 2, 2", "7, 0, 7, 7, 4, 4", "0, 7, 7, 7, 3, 3",
    })
    void violations(long pml4e, long pdpte, long pde, long pte, int access, String qualification) {
        rights(pml4e, pdpte, pde, pte);
        assertThat(walk(EPTP, access)).isEqualTo(VIOLATION);
        assertThat(walk.qualification).isEqualTo(Integer.parseInt(qualification, 16));
    }

    private void rights(long pml4e, long pdpte, long pde, long pte) {
        memory.put(AT[4], 0x2000 | pml4e);
        memory.put(AT[3], 0x3000 | pdpte);
        memory.put(AT[2], 0x4000 | pde);
        memory.put(AT[1], 0x5030 | pte);
    }

    @ParameterizedTest(name = "T13 PTE {0}, access {1}")
    @DisplayName("T13 what is granted: R reads, R W writes, X alone fetches")
    @CsvSource({"1, 1", "3, 2", "3, 3", "4, 4", "5, 4", "7, 2", "5, 1"})
    void allowed(long pte, int access) {
        rights(7, 7, 7, pte);
        assertThat(walk(EPTP, access)).isEqualTo(ALLOWED);
    }

    @ParameterizedTest(name = "T13 level {0}, bits {1}")
    @DisplayName("T13 W without R is a misconfiguration at every level, before any violation (\"EPT Misconfigurations\")")
    @CsvSource({"4, 2", "3, 2", "2, 2", "1, 2", "4, 6", "3, 6", "2, 6", "1, 6"})
    void writeOnly(int level, long bits) {
        memory.put(AT[level], memory.applyAsLong(AT[level]) & ~7 | bits);
        assertThat(walk(EPTP, 1)).isEqualTo(MISCONFIGURATION);
        assertThat(walk.lowest).isEqualTo(level);
    }

    @Test
    @DisplayName("T13 X without R is a misconfiguration where the processor has no execute-only translations (IA32_VMX_EPT_VPID_CAP bit 0)")
    void executeOnly() {
        rights(7, 7, 7, 4);
        assertThat(walk(EPTP, 4)).isEqualTo(ALLOWED);
        assertThat(new EptWalker(46, false, false).walk(EPTP, GPA, 4, false, memory, walk)).isEqualTo(MISCONFIGURATION);
    }

    @ParameterizedTest(name = "T13 level {0}, entry 0x{1}: misconfiguration {2}")
    @DisplayName("T13 reserved bits by level, MAXPHYADDR 46 (\"EPT Misconfigurations\", tables \"Format of an EPT …\")")
    @CsvSource({
        "4, 200f, true", "4, 2017, true", "4, 2027, true", "4, 2047, true", "4, 2087, true", "4, 2f07, false",
        "3, 300f, true", "3, 3017, true", "3, 3027, true", "3, 3047, true", "3, 400010b7, true", "3, 600000b7, true", "3, 400000f7, false",
        "2, 400f, true", "2, 4047, true", "2, 2010b7, true", "2, 3000b7, true", "2, 2000f7, false", "2, 4f07, false",
        "1, 400000005037, true", "4, 400000002007, true", "1, 200000005037, false", "1, 5fb7, false",
        "1, fff0000000005037, false", "4, fff0000000002007, false",
        // present by R alone is enough for the checks, not present is not checked
        "1, 400000005031, true", "1, 400000005ff8, false",
    })
    void reserved(int level, String entry, boolean misconfigured) {
        memory.put(AT[level], Long.parseUnsignedLong(entry, 16));
        assertThat(walk(EPTP, 1) == MISCONFIGURATION).isEqualTo(misconfigured);
    }

    @ParameterizedTest(name = "T13 memory type {0}: misconfiguration {1}")
    @DisplayName("T13 memory types 2, 3 and 7 of a leaf are a misconfiguration, at every page size")
    @CsvSource({"0, false", "1, false", "2, true", "3, true", "4, false", "5, false", "6, false", "7, true"})
    void memoryTypes(int type, boolean misconfigured) {
        for (int level = 1; level <= 3; level++) {
            tables();
            memory.put(AT[level], (1L << 30) | 0x87 | (long) type << 3);
            assertThat(walk(EPTP, 1) == MISCONFIGURATION).as("level %d", level).isEqualTo(misconfigured);
        }
    }

    @ParameterizedTest(name = "T13 entry bits {0}, user address {1}, access {2}: qualification 0x{3}")
    @DisplayName("T13 mode-based execute control: bit 2 for supervisor-mode, bit 10 for user-mode addresses; qualification bits 5 and 6")
    @CsvSource({
        "404, true, 4, ''", "404, false, 4, ''", "400, true, 4, ''", "400, false, 4, 44", "4, false, 4, ''", "4, true, 4, 24",
        "405, true, 2, 6a", "401, true, 2, 4a", "1, true, 4, c", "3, true, 4, 1c", "400, true, 1, 41",
    })
    void modeBased(String bits, boolean userAddress, int access, String qualification) {
        memory.put(AT[4], 0x2407);
        memory.put(AT[3], 0x3407);
        memory.put(AT[2], 0x4407);
        memory.put(AT[1], 0x5030 | Long.parseLong(bits, 16));
        Outcome outcome = new EptWalker(46, true, true).walk(EPTP, GPA, access, userAddress, memory, walk);
        assertThat(outcome).isEqualTo(qualification.isEmpty() ? ALLOWED : VIOLATION);
        assertThat(walk.qualification).isEqualTo(qualification.isEmpty() ? 0 : Integer.parseInt(qualification, 16));
    }

    @Test
    @DisplayName("T13 without mode-based execute control bit 10 is ignored and qualification bit 6 is 0")
    void userExecuteIgnored() {
        rights(0x407, 0x407, 0x407, 0x403);
        assertThat(walk(EPTP, 4)).isEqualTo(VIOLATION);
        assertThat(walk.qualification).isEqualTo(0x1c);
    }

    @Test
    @DisplayName("T13 bit 10 alone makes an entry present only with mode-based execute control, and without R needs execute-only support")
    void presentByUserExecute() {
        memory.put(AT[1], 0x5430);
        assertThat(walk(EPTP, 4)).isEqualTo(VIOLATION);
        assertThat(walk.qualification).isEqualTo(4);
        memory.put(AT[2], 0x4407);
        memory.put(AT[3], 0x3407);
        memory.put(AT[4], 0x2407);
        assertThat(new EptWalker(46, true, true).walk(EPTP, GPA, 4, true, memory, walk)).isEqualTo(ALLOWED);
        assertThat(new EptWalker(46, false, true).walk(EPTP, GPA, 4, true, memory, walk)).isEqualTo(MISCONFIGURATION);
        memory.put(AT[1], 0x5432);
        assertThat(new EptWalker(46, true, true).walk(EPTP, GPA, 4, true, memory, walk)).as("W without R").isEqualTo(MISCONFIGURATION);
    }

    @Test
    @DisplayName("T13 EPTP bit 6: bit 8 in every entry used, bit 9 in the leaf of a write (\"Accessed and Dirty Flags for EPT\")")
    void flags() {
        walk(EPTP, 2);
        assertThat(walk.entryAfter(4, true)).as("not enabled").isEqualTo(0x2007);
        walk(EPTP_FLAGS, 2);
        assertThat(new long[] {walk.entryAfter(4, true), walk.entryAfter(3, true), walk.entryAfter(2, true), walk.entryAfter(1, true)})
                .containsExactly(0x2107, 0x3107, 0x4107, 0x5337);
        assertThat(walk.entryAfter(1, false)).isEqualTo(0x5137);
        assertThat(EptWalker.tableAccessWrites(EPTP)).isFalse();
        assertThat(EptWalker.tableAccessWrites(EPTP_FLAGS)).isTrue();
    }
}
