package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Vectors derived by hand from APM vol. 2, "Nested Paging" and "Nested versus Guest Page Faults, Fault Ordering". Operations are 0
 * read, 1 write, 2 fetch; error codes 1 P, 2 R/W, 4 U/S, 8 RSV, 16 I/D.
 */
class NptWalkerTest {
    private static final long PSE = 0x10;
    private static final long PAE = 0x20;
    private static final long LA57 = 0x1000;
    private static final long LONG = 0x500;
    private static final long NXE = 0x800;

    private final Memory memory = new Memory();
    private final Walk walk = new Walk();

    private int walk(long cr4, long efer, long gpa, int operation) {
        return new NptWalker(48, 0x1000, cr4, efer).walk(gpa, operation, memory, walk);
    }

    @Test
    @DisplayName("T14 a host without PAE: entries of 4 bytes, 4 KiB pages, and 4 MiB with its CR4.PSE")
    void legacy() {
        memory.put4(0x1120, 0x2007);
        memory.put4(0x2d14, 0x5007);
        assertThat(walk(0, 0, 0x1234_5678, 0)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        memory.put4(0x1120, 0x0240_0087 | 3 << 13);
        assertThat(walk(PSE, 0, 0x1234_5678, 1)).isEqualTo(-1);
        assertThat(walk.gpa).as("PSE-36").isEqualTo(0x3_0240_0000L + 0x34_5678);
        memory.put4(0x1120, 0x2083);
        assertThat(walk(PSE, 0, 0x1234_5678, 0)).as("U/S of a 4 MiB leaf").isEqualTo(5);
    }

    @Test
    @DisplayName("T14 a host in PAE mode: PDPTEs are read in the walk and have no U/S")
    void pae() {
        memory.put(0x1000 + 3 * 8, 0x3001);
        memory.put(0x3000 + 145 * 8, 0x4007);
        memory.put(0x4000 + 325 * 8, 0x5007);
        assertThat(walk(PAE, NXE, 0xd234_5678L, 1)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.entryGpa(3)).isEqualTo(0x1018);
        memory.put(0x1018, 0x3007);
        assertThat(walk(PAE, NXE, 0xd234_5678L, 0)).as("bits 2:1 of a PDPTE are reserved").isEqualTo(13);
        memory.put(0x1018, 0x3000);
        assertThat(walk(PAE, NXE, 0xd234_5678L, 2)).isEqualTo(20);
    }

    @Test
    @DisplayName("T14 a host in 5-level mode")
    void fiveLevels() {
        memory.put(0x1000 + 171 * 8, 0x9007);
        fourLevels(0x9000);
        assertThat(walk(PAE | LA57, LONG | NXE, 0x00ab_7fff_1234_5678L, 1)).isEqualTo(-1);
        assertThat(walk.gpa).isEqualTo(0x5678);
        assertThat(walk.top).isEqualTo(5);
    }

    private void fourLevels(long top) {
        memory.put(top + 255 * 8, 0x2007);
        memory.put(0x2000 + 508 * 8, 0x3007);
        memory.put(0x3000 + 145 * 8, 0x4007);
        memory.put(0x4000 + 325 * 8, 0x5007);
    }

    @ParameterizedTest(name = "T14 entry of level {0} with rights 0x{1}, operation {2}: {3}")
    @DisplayName("T14 4 levels: U/S and R/W are needed at every level, whoever runs in the guest; NX by the host's EFER.NXE")
    @CsvSource({
        "1, 7, 0, -1", "1, 7, 1, -1", "1, 7, 2, -1",
        "1, 3, 0, 5", "2, 3, 0, 5", "3, 3, 1, 7", "4, 3, 2, 21", "1, 5, 1, 7", "2, 5, 1, 7", "3, 5, 1, 7", "4, 5, 1, 7", "1, 5, 0, -1",
        "1, 6, 0, 4", "2, 6, 1, 6", "4, 6, 2, 20",
        "1, 8000000000000007, 2, 21", "4, 8000000000000007, 2, 21", "1, 8000000000000007, 1, -1",
        "4, 87, 0, 13", "1, 1000000000007, 1, 15",
    })
    void rights(int level, String bits, int operation, int expected) {
        fourLevels(0x1000);
        long at = new long[] {0, 0x4000 + 325 * 8, 0x3000 + 145 * 8, 0x2000 + 508 * 8, 0x1000 + 255 * 8}[level];
        memory.put(at, memory.applyAsLong(at) & ~7 | Long.parseUnsignedLong(bits, 16));
        assertThat(walk(PAE, LONG | NXE, 0x7fff_1234_5678L, operation)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T14 without the host's EFER.NXE bit 63 is reserved; a fetch is told of all the same")
    void withoutNxe() {
        fourLevels(0x1000);
        memory.put(0x4000 + 325 * 8, 0x8000_0000_0000_5007L);
        assertThat(walk(PAE, LONG, 0x7fff_1234_5678L, 0)).isEqualTo(13);
        assertThat(walk(PAE, LONG, 0x7fff_1234_5678L, 2)).isEqualTo(29);
    }

    @Test
    @DisplayName("T14 the host's SMEP, SMAP and protection keys have no say in nested tables")
    void hostControls() {
        fourLevels(0x1000);
        memory.put(0x4000 + 325 * 8, 0x5007 | 5L << 59);
        assertThat(walk(PAE | 0x170_0000, LONG | NXE, 0x7fff_1234_5678L, 2)).isEqualTo(-1);
        assertThat(walk(PAE | 0x170_0000, LONG | NXE, 0x7fff_1234_5678L, 0)).isEqualTo(-1);
    }

    @Test
    @DisplayName("T14 accessed and dirty flags as in the host's own tables")
    void flags() {
        fourLevels(0x1000);
        walk(PAE, LONG | NXE, 0x7fff_1234_5678L, 1);
        assertThat(walk.entryAfter(4, true)).isEqualTo(0x2027);
        assertThat(walk.entryAfter(1, true)).isEqualTo(0x5067);
        assertThat(walk.entryAfter(1, false)).isEqualTo(0x5027);
    }
}
