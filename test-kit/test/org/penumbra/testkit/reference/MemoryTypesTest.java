package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.penumbra.api.paging.MemoryType.*;
import static org.penumbra.testkit.reference.MemoryTypes.PAT_AT_RESET;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.MemoryType;

class MemoryTypesTest {
    @ParameterizedTest(name = "T16 PAT {0}: MTRR UC {1}, WC {2}, WT {3}, WB {4}, WP {5}")
    @DisplayName("T16 PAT and MTRR (SDM vol. 3, \"Effective Page-Level Memory Types for Pentium III and More Recent Processor Families\")")
    @CsvSource({
        "UC,       UC, UC, UC, UC, UC",
        "UC_MINUS, UC, WC, UC, UC, WC",
        "WC,       WC, WC, WC, WC, WC",
        "WT,       UC, UC, WT, WT, WT",
        "WB,       UC, WC, WT, WB, WP",
        "WP,       UC, UC, WP, WP, WP",
    })
    void effective(MemoryType pat, MemoryType uc, MemoryType wc, MemoryType wt, MemoryType wb, MemoryType wp) {
        assertThat(MemoryTypes.effective(pat, UC)).isEqualTo(uc);
        assertThat(MemoryTypes.effective(pat, WC)).isEqualTo(wc);
        assertThat(MemoryTypes.effective(pat, WT)).isEqualTo(wt);
        assertThat(MemoryTypes.effective(pat, WB)).isEqualTo(wb);
        assertThat(MemoryTypes.effective(pat, WP)).isEqualTo(wp);
    }

    @ParameterizedTest(name = "T16 PTE 0x{0}: {1}")
    @DisplayName("T16 PAT, PCD and PWT of a leaf select an entry of IA32_PAT (SDM vol. 3, \"Selecting a Memory Type from the PAT\")")
    @CsvSource({"7, WB", "f, WT", "17, UC_MINUS", "1f, UC", "87, WB", "8f, WT", "97, UC_MINUS", "9f, UC"})
    void patOfReset(String leaf, MemoryType expected) {
        assertThat(MemoryTypes.pat(PAT_AT_RESET, Long.parseLong(leaf, 16), false)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T16 the PAT flag is bit 7 of a 4 KiB leaf and bit 12 of a larger one")
    void patFlag() {
        long linux = 0x0407_0501_0007_0106L;
        assertThat(MemoryTypes.pat(linux, 0x87, false)).isEqualTo(WC);
        assertThat(MemoryTypes.pat(linux, 0x87, true)).as("bit 7 is PS there").isEqualTo(WB);
        assertThat(MemoryTypes.pat(linux, 0x109f, true)).isEqualTo(WT);
        assertThat(MemoryTypes.pat(linux, 0x108f, true)).isEqualTo(WP);
    }

    @Test
    @DisplayName("T16 EPT: its type stands in the place of the MTRRs, or alone with \"ignore PAT\" (SDM vol. 3, \"Memory Type Used for "
            + "Translated Guest-Physical Addresses\")")
    void underEpt() {
        assertThat(MemoryTypes.underEpt(WC, UC, false)).isEqualTo(WC);
        assertThat(MemoryTypes.underEpt(WB, WT, false)).isEqualTo(WT);
        assertThat(MemoryTypes.underEpt(UC, WB, false)).isEqualTo(UC);
        assertThat(MemoryTypes.underEpt(UC, WB, true)).isEqualTo(WB);
        assertThat(MemoryTypes.underEpt(WC, UC, true)).isEqualTo(UC);
        assertThat(MemoryTypes.underEpt(null, WB, false)).as("CR0.PG = 0 counts as WB").isEqualTo(WB);
        assertThat(MemoryTypes.underEpt(null, WP, false)).isEqualTo(WP);
    }

    @Test
    @DisplayName("T16 UC− is a type of the PAT only")
    void ucMinus() {
        assertThatIllegalArgumentException().isThrownBy(() -> MemoryTypes.effective(WB, UC_MINUS)).withMessageContaining("UC_MINUS");
    }
}
