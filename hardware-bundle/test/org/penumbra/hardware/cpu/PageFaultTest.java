package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.EFER_LMA;
import static org.penumbra.api.paging.ControlBits.EFER_LME;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Processor;

/** Faults that no right explains: not-present and reserved bits, canonical addresses. MAXPHYADDR of the test processor is 40. */
class PageFaultTest {
    private static final long GVA = 0x12_3456_7000L;

    @ParameterizedTest(name = "T08 not present at level {0}: P = 0, and no RSVD whatever else is in the entry")
    @ValueSource(ints = {1, 2, 3, 4})
    void notPresent(int level) {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        long slot = rig.slot(root, GVA, level);
        for (long junk : new long[] {0, -2, 1L << 51 | Rig.PS}) {
            rig.memory.store64(slot, junk);
            rig.expectFault(GVA, Rig.SR, 0);
            rig.expectFault(GVA, Rig.SW, 2);
            rig.expectFault(GVA, Rig.UR, 4);
            rig.expectFault(GVA, Rig.UW, 6);
            rig.expectFault(GVA, Rig.UF, 0x14);
        }
    }

    /** SDM vol. 3, figure "Formats of CR3 and Paging-Structure Entries with 4-Level Paging and 5-Level Paging". */
    @ParameterizedTest(name = "T08 bit {1} of an entry at level {0} (page: {2}) reserved: {3}")
    @CsvSource({
        "4, 7, false, true", "4, 40, false, true", "4, 51, false, true", "4, 52, false, false",
        "4, 62, false, false", "4, 8, false, false",
        "3, 40, false, true", "3, 51, false, true", "3, 8, false, false", "3, 59, false, false",
        "3, 13, true, true", "3, 29, true, true", "3, 12, true, false", "3, 40, true, true", "3, 58, true, false",
        "2, 40, false, true", "2, 51, false, true", "2, 6, false, false",
        "2, 13, true, true", "2, 20, true, true", "2, 12, true, false", "2, 51, true, true",
        "1, 40, true, true", "1, 51, true, true", "1, 7, true, false", "1, 52, true, false", "1, 11, true, false",
    })
    void reserved(int level, int bit, boolean page, boolean reserved) {
        Rig rig = new Rig();
        long root = rig.longMode();
        if (page && level > 1) {
            rig.mapLarge(root, GVA, 0, Rig.P | Rig.W | Rig.U, level);
        } else {
            rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        }
        long slot = rig.slot(root, GVA, level);
        rig.memory.store64(slot, rig.memory.load64(slot) | 1L << bit);
        if (reserved) {
            rig.expectFault(GVA, Rig.SR, 0b1001);
            rig.expectFault(GVA, Rig.UW, 0b1111);
            rig.expectFault(GVA, Rig.UF, 0b1_1101);
        } else {
            assertThat(rig.use(GVA, Rig.SR)).isNotNegative();
        }
    }

    @ParameterizedTest(name = "T08 XD is reserved at level {0} while EFER.NXE = 0")
    @ValueSource(ints = {1, 2, 3, 4})
    void executeDisableReserved(int level) {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.efer(EFER_LME | EFER_LMA);
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        long slot = rig.slot(root, GVA, level);
        rig.memory.store64(slot, rig.memory.load64(slot) | Rig.XD);
        rig.expectFault(GVA, Rig.SR, 9);
        rig.expectFault(GVA, Rig.SF, 9);
    }

    @Test
    @DisplayName("T08 a reserved bit is reported before a right that is missing")
    void reservedBeforeRights() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | 1L << 45);
        rig.expectFault(GVA, Rig.UW, 0b1111);
    }

    @ParameterizedTest(name = "T04 0x{0} is not canonical with 48 bits: #GP(0), no walk")
    @ValueSource(strings = {"800000000000", "ffff7fffffffffff", "1000000000000", "8000000000000000"})
    void notCanonical(String gva) {
        Rig rig = new Rig();
        rig.longMode();
        assertThat(rig.use(Long.parseUnsignedLong(gva, 16), Rig.SR)).isEqualTo(Processor.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(13);
        assertThat(rig.cpu.exception().errorCode).isZero();
        assertThat(rig.walks()).isZero();
    }

    @Test
    @DisplayName("T04 the highest canonical address is translated")
    void highest() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, -4096, 0x7000, Rig.P | Rig.W);
        assertThat(rig.use(-1, Rig.SR)).isEqualTo(0x7fff);
    }

    @Test
    @DisplayName("T04 pages of 4 KiB, 2 MiB and 1 GiB: the address bits of the entry and of the page")
    void sizes() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, 0x1_2345_6000L, 0x40_0000_5000L & 0xff_ffff_f000L, Rig.P);
        rig.mapLarge(root, 0x40_0020_0000L, 0xab_cde0_0000L, Rig.P | 1L << 12, 2);
        rig.mapLarge(root, 0x80_4000_0000L, 0xa5_8000_0000L, Rig.P | 1L << 12, 3);
        assertThat(rig.use(0x1_2345_6789L, Rig.SR)).isEqualTo(0x40_0000_5789L);
        assertThat(rig.use(0x40_0020_0000L | 0x1f_edcb, Rig.SR)).isEqualTo(0xab_cdff_edcbL);
        assertThat(rig.use(0x80_4000_0000L | 0x3edc_ba98, Rig.SR)).isEqualTo(0xa5_bedc_ba98L);
        assertThat(rig.use(0x80_4000_0000L | 0x0012_3456, Rig.SR)).as("of the same page").isEqualTo(0xa5_8012_3456L);
        assertThat(rig.walks()).isEqualTo(3);
    }

    @Test
    @DisplayName("T08 after a rights fault the same access succeeds once memory allows it, without an invalidation")
    void spuriousFaultDoesNotRecur() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.U);
        long pde = rig.slot(root, GVA, 2);
        rig.memory.store64(pde, rig.memory.load64(pde) & ~Rig.W);
        assertThat(rig.use(GVA, Rig.UR)).isEqualTo(0x5000);
        rig.expectFault(GVA, Rig.UW, 7);
        rig.memory.store64(pde, rig.memory.load64(pde) | Rig.W);
        rig.map(root, GVA, 0x6000, Rig.P | Rig.U | Rig.W);
        assertThat(rig.use(GVA, Rig.UW)).isEqualTo(0x6000);
    }
}
