package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;

/** Paging off, and 5-level paging: SDM vol. 3, "Paging Modes and Control Bits" and "4-Level Paging and 5-Level Paging". */
class LongModePagingTest {
    private static final long HIGH = 0xff55_4025_8060_3000L;

    @Test
    @DisplayName("T01 without paging a linear address is the physical one, for every access, with any right in any register")
    void unpaged() {
        Rig rig = new Rig();
        rig.registers.paging = new PagingState(1 | 1 << 16, 0x1000, 1L << 20 | 1L << 21 | 0x20, 0x800, -1, -1);
        for (int access : new int[] {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF, Rig.AR, Rig.AW}) {
            for (long gva : new long[] {0, 0x1234, 0xffff_ffffL}) {
                assertThat(rig.use(gva, access)).isEqualTo(gva);
            }
        }
        assertThat(rig.cpu.statistics().guestReferences()).isZero();
        assertThat(rig.use(0x1_0000_1234L, Rig.SR)).as("linear addresses have 32 bits").isEqualTo(0x1234);
    }

    @Test
    @DisplayName("T01 a translation made without paging does not outlive it, and one made with paging does not reach beyond")
    void unpagedApart() {
        Rig rig = new Rig();
        long root = rig.paging(Layout.BITS_32);
        rig.put(root, 0x3000, 1, 0x7000 | Rig.P);
        PagingState paged = rig.registers.paging;
        rig.registers.paging = paged.withCr0(1);
        assertThat(rig.use(0x3000, Rig.SR)).isEqualTo(0x3000);
        assertThat(rig.cpu.movToCr0(paged.cr0())).isEqualTo(Outcome.DONE);
        assertThat(rig.use(0x3000, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.cpu.movToCr0(1)).isEqualTo(Outcome.DONE);
        assertThat(rig.use(0x3000, Rig.SR)).isEqualTo(0x3000);
    }

    @Test
    @DisplayName("T05 five references; pages of 4 KiB, 2 MiB and 1 GiB")
    void fiveLevels() {
        Rig rig = new Rig(TestProfile.bare());
        long root = rig.paging(Layout.FIVE_LEVEL);
        rig.put(root, HIGH, 1, 0x7000 | Rig.P | Rig.W);
        assertThat(rig.use(HIGH + 1, Rig.SW)).isEqualTo(0x7001);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(5);
        for (int level = 1; level <= 5; level++) {
            assertThat(rig.get(root, HIGH, level) & (Rig.A | Rig.D)).as("level %d", level).isEqualTo(Rig.A | (level == 1 ? Rig.D : 0));
        }
        long large = 0x00aa_0000_0000_0000L;
        rig.put(root, large, 2, 0x20_0000 | Rig.P | Rig.PS);
        rig.put(root, large + (1L << 30), 3, 0xc000_0000L | Rig.P | Rig.PS);
        assertThat(rig.use(large + 0x1f_ffff, Rig.SR)).isEqualTo(0x3f_ffff);
        assertThat(rig.use(large + (1L << 30) + 0x3fff_ffff, Rig.SR)).isEqualTo(0xffff_ffffL);
        assertThat(rig.cpu.statistics().guestReferences()).isEqualTo(5 + 4 + 3);
    }

    @ParameterizedTest(name = "T05 0x{0} with 57 bits is canonical: {1}")
    @CsvSource({"ffffffffffffff, true", "ff00000000000000, true", "800000000000, true", "100000000000000, false",
        "feffffffffffffff, false", "8000000000000000, false", "fe00000000000000, false"})
    void canonical(String address, boolean canonical) {
        Rig rig = new Rig();
        long gva = Long.parseUnsignedLong(address, 16);
        long root = rig.paging(Layout.FIVE_LEVEL);
        if (canonical) {
            rig.put(root, gva, 1, 0x7000 | Rig.P);
            assertThat(rig.use(gva, Rig.SR)).isEqualTo(0x7000 | gva & 0xfff);
        } else {
            assertThat(rig.use(gva, Rig.SR)).isEqualTo(Processor.FAULT);
            assertThat(rig.cpu.exception().vector).isEqualTo(13);
            assertThat(rig.cpu.exception().errorCode).isZero();
            assertThat(rig.walks()).isZero();
        }
    }

    @ParameterizedTest(name = "T08 5-level paging: bit {1} of a level-{0} entry reserved: {2}")
    @CsvSource({"5, 7, true", "5, 40, true", "5, 51, true", "5, 52, false", "5, 8, false", "4, 7, true", "4, 51, true", "3, 51, true",
        "2, 40, true", "1, 40, true", "1, 62, false"})
    void reserved(int level, int bit, boolean reserved) {
        Rig rig = new Rig();
        long root = rig.paging(Layout.FIVE_LEVEL);
        rig.put(root, HIGH, 1, 0x7000 | Rig.P | Rig.W | Rig.U);
        rig.put(root, HIGH, level, rig.get(root, HIGH, level) | 1L << bit);
        if (reserved) {
            rig.expectFault(HIGH, Rig.UW, 0xf);
        } else {
            assertThat(rig.use(HIGH, Rig.SR)).isEqualTo(0x7000);
        }
    }

    @ParameterizedTest(name = "T06 5-level paging: a right that level {0} takes away")
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void rights(int level) {
        Rig rig = new Rig();
        long root = rig.paging(Layout.FIVE_LEVEL);
        rig.put(root, HIGH, 1, 0x7000 | Rig.P | Rig.W | Rig.U);
        long entry = rig.get(root, HIGH, level);
        rig.put(root, HIGH, level, entry & ~Rig.W);
        rig.expectFault(HIGH, Rig.UW, 7);
        rig.put(root, HIGH, level, entry & ~Rig.U);
        rig.expectFault(HIGH, Rig.UR, 5);
        rig.put(root, HIGH, level, entry | Rig.XD);
        rig.expectFault(HIGH, Rig.SF, 0x11);
        rig.put(root, HIGH, level, 0);
        rig.expectFault(HIGH, Rig.SW, 2);
    }

    @Test
    @DisplayName("T05 bits 56:48 tell addresses apart in every cache")
    void highBitsCount() {
        Rig rig = new Rig(new TestProfile().array("tlb.data.small", 1, 1));
        long root = rig.paging(Layout.FIVE_LEVEL);
        long other = HIGH ^ 1L << 48;
        rig.put(root, HIGH, 1, 0x7000 | Rig.P);
        rig.put(root, other, 1, 0x8000 | Rig.P);
        rig.put(root, other + 0x1000, 1, 0x9000 | Rig.P);
        assertThat(rig.use(HIGH, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.use(other, Rig.SR)).isEqualTo(0x8000);
        assertThat(rig.use(HIGH, Rig.SR)).isEqualTo(0x7000);
        assertThat(rig.use(other + 0x1000, Rig.SR)).isEqualTo(0x9000);
    }

    @ParameterizedTest(name = "T05 {0}: CR4.LA57 does not change in IA-32e mode")
    @EnumSource(value = Layout.class, names = {"FOUR_LEVEL", "FIVE_LEVEL"})
    void la57IsFixed(Layout mode) {
        Rig rig = new Rig();
        rig.paging(mode);
        assertThat(rig.cpu.movToCr4(mode.cr4 ^ 1 << 12)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(13);
    }

    @Test
    @DisplayName("T04 IA-32e mode is entered and left by MOV to CR0 with EFER.LME = 1, and each mode walks its own tables")
    void throughTheModes() {
        Rig rig = new Rig();
        long gva = 0x8060_3000L;
        long four = rig.paging(Layout.FOUR_LEVEL);
        rig.put(four, gva, 1, 0x4000 | Rig.P);
        long five = rig.paging(Layout.FIVE_LEVEL);
        rig.put(five, gva, 1, 0x5000 | Rig.P);
        long pae = rig.paging(Layout.PAE);
        rig.put(pae, gva, 1, 0x3000 | Rig.P);
        long two = rig.paging(Layout.BITS_32);
        rig.put(two, gva, 1, 0x2000 | Rig.P);
        rig.registers.paging = new PagingState(1, two, 0, 0, 0, 0);
        long on = 0x8001_0001L;
        for (int round = 0; round < 2; round++) {
            expect(rig, gva, gva);
            expect(rig, rig.cpu.movToCr0(on), gva, 0x2000);
            assertThat(rig.cpu.movToCr0(1)).isZero();
            assertThat(rig.cpu.movToCr4(0x20)).isZero();
            assertThat(rig.cpu.movToCr3(pae)).isZero();
            expect(rig, rig.cpu.movToCr0(on), gva, 0x3000);
            assertThat(rig.cpu.movToCr0(1)).isZero();
            assertThat(rig.cpu.wrmsr(0xc000_0080, 0x900)).isZero();
            assertThat(rig.cpu.movToCr3(four)).isZero();
            expect(rig, rig.cpu.movToCr0(on), gva, 0x4000);
            assertThat(rig.cpu.movToCr0(1)).isZero();
            assertThat(rig.cpu.movToCr4(0x1020)).isZero();
            assertThat(rig.cpu.movToCr3(five)).isZero();
            expect(rig, rig.cpu.movToCr0(on), gva, 0x5000);
            assertThat(rig.cpu.movToCr0(1)).isZero();
            assertThat(rig.cpu.wrmsr(0xc000_0080, 0)).isZero();
            assertThat(rig.cpu.movToCr4(0)).isZero();
            assertThat(rig.cpu.movToCr3(two)).isZero();
        }
    }

    private static void expect(Rig rig, int outcome, long gva, long hpa) {
        assertThat(outcome).isEqualTo(Outcome.DONE);
        expect(rig, gva, hpa);
    }

    private static void expect(Rig rig, long gva, long hpa) {
        assertThat(rig.use(gva, Rig.SR)).isEqualTo(hpa);
        assertThat(rig.use(gva, Rig.SR)).as("cached").isEqualTo(hpa);
    }
}
