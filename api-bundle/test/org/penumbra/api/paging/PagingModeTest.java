package org.penumbra.api.paging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** SDM vol. 3, "Paging Modes and Control Bits" and "PDPTE Registers". Bits: CR0.PG 31; CR4.PAE 5, LA57 12; EFER.LMA 10. */
class PagingModeTest {
    @ParameterizedTest(name = "T01 CR0 0x{0}, CR4 0x{1}, EFER 0x{2}: {3}")
    @CsvSource({
        "1,        1020, d00, NONE",
        "80000001, 0,    0,   BITS_32",
        "80000001, 1090, 800, BITS_32",
        "80000001, 20,   0,   PAE",
        "80000001, 20,   900, PAE",
        "80000001, 1020, 0,   PAE",
        "80000001, 20,   500, FOUR_LEVEL",
        "80000001, 1020, 500, FIVE_LEVEL",
    })
    void mode(String cr0, String cr4, String efer, PagingMode mode) {
        PagingState state = new PagingState(hex(cr0), 0, hex(cr4), hex(efer), 0, 0);
        assertThat(state.mode()).isEqualTo(mode);
        assertThat(PagingMode.of(hex(cr0), hex(cr4), hex(efer))).isEqualTo(mode);
    }

    @ParameterizedTest(name = "T05 0x{1} is an address in {0}: {2}")
    @CsvSource({
        "NONE, ffffffff, true", "NONE, 100000000, false", "BITS_32, ffffffffffffffff, false", "PAE, ffffffff, true",
        "FOUR_LEVEL, 7fffffffffff, true", "FOUR_LEVEL, 800000000000, false", "FOUR_LEVEL, ffff800000000000, true",
        "FOUR_LEVEL, ffff7fffffffffff, false", "FIVE_LEVEL, ffffffffffffff, true", "FIVE_LEVEL, 100000000000000, false",
        "FIVE_LEVEL, ff00000000000000, true", "FIVE_LEVEL, feffffffffffffff, false",
    })
    void holds(PagingMode mode, String gva, boolean holds) {
        assertThat(mode.holds(hex(gva))).isEqualTo(holds);
    }

    @ParameterizedTest(name = "T03 the table that CR3 0x{2} names with CR4 0x{0} and EFER 0x{1}: 0x{3}")
    @CsvSource({"0, 0, ffffffffffffffff, fffff000", "20, 0, ffffffffffffffff, ffffffe0", "20, 500, 12345678fff, 12345678000",
        "1020, 500, fffffffffffff, ffffffffff000"})
    void root(String cr4, String efer, String cr3, String root) {
        assertThat(new PagingState(0x8000_0001L, hex(cr3), hex(cr4), hex(efer), 0, 0).root()).isEqualTo(hex(root));
    }

    @Test
    @DisplayName("T09 the PCID is CR3 bits 11:0 while CR4.PCIDE is 1, and 0 otherwise")
    void pcid() {
        PagingState s = PagingState.longMode(0x1000).withCr3(0x1abc);
        assertThat(s.pcid()).isZero();
        assertThat(s.withCr4(s.cr4() | 1 << 17).pcid()).isEqualTo(0xabc);
    }

    @Test
    @DisplayName("T03 a state with one register replaced keeps the others, the PDPTE registers too")
    void replacement() {
        Pdptes pdptes = new Pdptes(1, 2, 3, 4);
        PagingState s = new PagingState(1, 2, 3, 4, 5, 6, pdptes);
        assertThat(s.withCr0(9)).isEqualTo(new PagingState(9, 2, 3, 4, 5, 6, pdptes));
        assertThat(s.withCr3(9)).isEqualTo(new PagingState(1, 9, 3, 4, 5, 6, pdptes));
        assertThat(s.withCr4(9)).isEqualTo(new PagingState(1, 2, 9, 4, 5, 6, pdptes));
        assertThat(s.withEfer(9)).isEqualTo(new PagingState(1, 2, 3, 9, 5, 6, pdptes));
        assertThat(s.withPkru(9)).isEqualTo(new PagingState(1, 2, 3, 4, 9, 6, pdptes));
        assertThat(s.withPkrs(9)).isEqualTo(new PagingState(1, 2, 3, 4, 5, 9, pdptes));
        assertThat(s.withPdptes(Pdptes.NONE)).isEqualTo(new PagingState(1, 2, 3, 4, 5, 6));
    }

    @Test
    @DisplayName("T03 bits 31:30 of the address select the PDPTE register")
    void pdpteOfAddress() {
        Pdptes pdptes = new Pdptes(10, 11, 12, 13);
        for (int n = 0; n < 4; n++) {
            assertThat(pdptes.get(n)).isEqualTo(10 + n);
            assertThat(pdptes.of((long) n << 30)).isEqualTo(10 + n);
            assertThat(pdptes.of(((long) n << 30) + 0x3fff_ffff)).isEqualTo(10 + n);
        }
    }

    @Test
    @DisplayName("T03 a present PDPTE with bits 2:1, 8:5 or 63:MAXPHYADDR may not be loaded; each of the four counts")
    void pdpteReserved() {
        for (int bit = 1; bit < 64; bit++) {
            boolean reserved = bit <= 2 || bit >= 5 && bit <= 8 || bit >= 36;
            assertThat(Pdptes.allowed(1 | 1L << bit, 36)).as("bit %d", bit).isEqualTo(!reserved);
            assertThat(Pdptes.allowed(1L << bit, 36)).as("bit %d, not present", bit).isTrue();
            for (int n = 0; n < 4; n++) {
                long bad = 1 | 1L << bit;
                Pdptes four = new Pdptes(n == 0 ? bad : 1, n == 1 ? bad : 1, n == 2 ? bad : 1, n == 3 ? bad : 1);
                assertThat(four.allowed(36)).as("bit %d of PDPTE %d", bit, n).isEqualTo(!reserved);
            }
        }
    }

    @ParameterizedTest(name = "T16 memory type {0} is {1}")
    @CsvSource({"0, UC", "1, WC", "4, WT", "5, WP", "6, WB", "7, UC_MINUS"})
    void memoryTypes(int encoding, MemoryType type) {
        assertThat(MemoryType.of(encoding)).isEqualTo(type);
        assertThat(type.encoding()).isEqualTo(encoding);
    }

    @ParameterizedTest(name = "T16 encoding {0} is reserved")
    @CsvSource({"2", "3", "8", "-1"})
    void reservedTypes(int encoding) {
        assertThatThrownBy(() -> MemoryType.of(encoding)).hasMessageContaining("memory type " + encoding);
    }

    private static long hex(String s) {
        return Long.parseUnsignedLong(s.trim(), 16);
    }
}
