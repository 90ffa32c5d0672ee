package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.CR0_WP;
import static org.penumbra.api.paging.ControlBits.CR4_PKE;
import static org.penumbra.api.paging.ControlBits.CR4_PKS;
import static org.penumbra.api.paging.ControlBits.CR4_SMAP;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Every right, every kind of access, every error code, by hand from SDM vol. 3, "Determination of Access Rights", "Protection
 * Keys" and "Page-Fault Exceptions". A row gives for each access "." if it is allowed, or the #PF error code in hexadecimal:
 * P = 1, W/R = 2, U/S = 4, I/D = 10, PK = 20.
 */
class AccessRightsTest {
    private static final int[] KINDS = {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF, Rig.AR, Rig.AW};
    private static final long GVA = 0x7f12_3456_7000L;

    @ParameterizedTest(name = "T06 page {1} with {0}: {2}")
    @CsvSource(delimiter = '|', textBlock = """
            # registers      | page    | SR SW SF  UR UW UF  AR AW
            WP NXE           | S R X   | .  3  .   5  7  15  .  3
            WP NXE           | S W X   | .  .  .   5  7  15  .  .
            WP NXE           | S R NX  | .  3  11  5  7  15  .  3
            WP NXE           | S W NX  | .  .  11  5  7  15  .  .
            WP NXE           | U R X   | .  3  .   .  7  .   .  3
            WP NXE           | U W X   | .  .  .   .  .  .   .  .
            WP NXE           | U R NX  | .  3  11  .  7  15  .  3
            WP NXE           | U W NX  | .  .  11  .  .  15  .  .
            NXE              | S R X   | .  .  .   5  7  15  .  .
            NXE              | U R X   | .  .  .   .  7  .   .  .
            NXE              | U R NX  | .  .  11  .  7  15  .  .
            WP               | S R X   | .  3  .   5  7  5   .  3
            WP               | U W X   | .  .  .   .  .  .   .  .
            WP SMEP          | S R X   | .  3  .   5  7  15  .  3
            WP SMEP          | U W X   | .  .  11  .  .  .   .  .
            WP NXE SMEP      | U R X   | .  3  11  .  7  .   .  3
            WP NXE SMEP      | S W X   | .  .  .   5  7  15  .  .
            WP NXE SMAP      | U R X   | 1  3  .   .  7  .   .  3
            WP NXE SMAP      | U W X   | 1  3  .   .  .  .   .  .
            WP NXE SMAP      | S W X   | .  .  .   5  7  15  .  .
            NXE SMAP         | U R X   | 1  3  .   .  7  .   .  .
            WP NXE SMEP SMAP | U W X   | 1  3  11  .  .  .   .  .
            """)
    void rights(String registers, String page, String expected) {
        expect(registers, page, 0, 0, expected);
    }

    @ParameterizedTest(name = "T06 protection key: page {1} with {0}, PKRU {2}, PKRS {3}: {4}")
    @CsvSource(delimiter = '|', textBlock = """
            # key 1 has AD at bit 2 and WD at bit 3; a user access to a supervisor page is a fault anyway and left out (-)
            # registers      | page  | PKRU | PKRS | SR SW SF  UR UW UF  AR AW
            WP NXE PKE       | U W X | 4    | 0    | 21 23 .   25 27 .   21 23
            WP NXE PKE       | U W X | 8    | 0    | .  23 .   .  27 .   .  23
            NXE PKE          | U W X | 8    | 0    | .  .  .   .  27 .   .  .
            NXE PKE          | U W X | 4    | 0    | 21 23 .   25 27 .   21 23
            WP NXE PKE       | U R X | 8    | 0    | .  23 .   .  27 .   .  23
            WP NXE PKE       | S W X | 4    | 0    | .  .  .   -  -  15  .  .
            WP NXE           | U W X | 4    | 4    | .  .  .   .  .  .   .  .
            WP NXE PKE       | U W X | 3    | 0    | .  .  .   .  .  .   .  .
            WP NXE PKE PKS   | S W X | 0    | 4    | 21 23 .   -  -  15  21 23
            WP NXE PKE PKS   | S W X | 0    | 8    | .  23 .   -  -  15  .  23
            NXE PKE PKS      | S W X | 0    | 8    | .  .  .   -  -  15  .  .
            WP NXE PKE PKS   | U W X | 0    | 4    | .  .  .   .  .  .   .  .
            WP NXE PKE       | S W X | 0    | 4    | .  .  .   -  -  15  .  .
            """)
    void protectionKeys(String registers, String page, int pkru, int pkrs, String expected) {
        expect(registers, page, pkru, pkrs, expected);
    }

    @ParameterizedTest(name = "T06 the right is the logical AND of all levels: cleared at level {0}")
    @CsvSource({"1", "2", "3", "4"})
    void everyLevelCounts(int level) {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.W | Rig.U);
        long slot = rig.slot(root, GVA, level);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~Rig.W);
        rig.expectFault(GVA, Rig.UW, 7);
        rig.memory.store64(slot, (rig.memory.load64(slot) | Rig.W) & ~Rig.U);
        rig.expectFault(GVA, Rig.UR, 5);
        rig.memory.store64(slot, rig.memory.load64(slot) | Rig.U | Rig.XD);
        rig.expectFault(GVA, Rig.UF, 0x15);
        rig.memory.store64(slot, rig.memory.load64(slot) & ~Rig.XD);
        assertThat(rig.use(GVA, Rig.UF)).isEqualTo(0x5000);
    }

    @Test
    @DisplayName("T06 cached translations obey the registers as they stand: WP, SMEP, SMAP, NXE, PKRU and PKRS without a flush")
    void registersNotSnapshots() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, 0x5000, Rig.P | Rig.U | Rig.D);
        rig.cr0(0, CR0_WP);
        assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x5000);
        long walks = rig.walks();
        assertThat(rig.cpu.movToCr0(rig.registers.paging.cr0() | CR0_WP)).isZero();
        assertThat(rig.use(GVA, Rig.SR)).as("still cached").isEqualTo(0x5000);
        assertThat(rig.walks()).isEqualTo(walks);
        rig.expectFault(GVA, Rig.SW, 3);

        assertThat(rig.use(GVA, Rig.SR)).isEqualTo(0x5000);
        assertThat(rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMAP)).isZero();
        rig.expectFault(GVA, Rig.SR, 1);
        assertThat(rig.use(GVA, Rig.AR)).isEqualTo(0x5000);
        walks = rig.walks();
        assertThat(rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_SMAP)).isZero();
        assertThat(rig.use(GVA, Rig.SR)).as("SMAP off again, same entry").isEqualTo(0x5000);
        assertThat(rig.walks()).isEqualTo(walks);
    }

    @Test
    @DisplayName("T06 cached 2 MiB translations and instruction translations obey the registers as they stand, too")
    void registersNotSnapshotsElsewhere() {
        Rig rig = new Rig();
        long root = rig.longMode();
        long large = 0x8000_0000L;
        rig.mapLarge(root, large, 0x20_0000, Rig.P | Rig.U, 2);
        assertThat(rig.use(large, Rig.SR)).isEqualTo(0x20_0000);
        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMAP);
        rig.expectFault(large, Rig.SR, 1);

        rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMEP);
        rig.map(root, GVA, 0x5000, Rig.P | Rig.U);
        for (long gva : new long[] {GVA, large}) {
            long hpa = rig.use(gva, Rig.UF);
            rig.cpu.movToCr4(rig.registers.paging.cr4() & ~CR4_SMEP);
            long hits = rig.cpu.statistics().secondLevelHits();
            assertThat(rig.use(gva, Rig.SF)).isEqualTo(hpa);
            assertThat(rig.cpu.statistics().secondLevelHits()).as("served by the first level").isEqualTo(hits);
            rig.cpu.movToCr4(rig.registers.paging.cr4() | CR4_SMEP);
        }
    }

    /** In every mode that has what the row is about: 32-bit paging has no XD, and only 4- and 5-level paging have keys. */
    private void expect(String registers, String page, int pkru, int pkrs, String expected) {
        for (Layout layout : Layout.values()) {
            boolean hasExecuteDisable = layout != Layout.BITS_32;
            boolean hasKeys = layout.largest() == 3;
            if ((hasExecuteDisable || !registers.contains("NXE")) && (hasKeys || pkru == 0 && pkrs == 0)) {
                expect(layout, registers, page, pkru, pkrs, expected);
            }
        }
    }

    private static void expect(Layout layout, String registers, String page, int pkru, int pkrs, String expected) {
        String[] codes = expected.trim().split(" +");
        for (int i = 0; i < KINDS.length; i++) {
            if (codes[i].equals("-")) {
                continue;
            }
            Rig rig = rig(layout, registers, page, pkru, pkrs);
            check(rig, layout, KINDS[i], codes[i]);
        }
        for (int first = 0; first < KINDS.length; first++) {
            Rig rig = rig(layout, registers, page, pkru, pkrs);
            rig.use(layout.address(), KINDS[first]);
            for (int i = 0; i < KINDS.length; i++) {
                if (!codes[i].equals("-")) {
                    check(rig, layout, KINDS[i], codes[i]);
                }
            }
        }
    }

    private static void check(Rig rig, Layout layout, int access, String code) {
        long gva = layout.address() | 0x123;
        if (code.equals(".")) {
            assertThat(rig.use(gva, access)).as("%s", layout).isEqualTo(0x5123);
        } else {
            rig.expectFault(gva, access, Integer.parseInt(code, 16));
        }
    }

    private static Rig rig(Layout layout, String registers, String page, int pkru, int pkrs) {
        Rig rig = new Rig();
        long root = rig.paging(layout);
        if (!registers.contains("WP")) {
            rig.cr0(0, CR0_WP);
        }
        if (!registers.contains("NXE")) {
            rig.efer(layout.efer & ~0x800);
        }
        rig.cr4((registers.contains("SMEP") ? CR4_SMEP : 0) | (registers.contains("SMAP") ? CR4_SMAP : 0)
                | (registers.contains("PKE") ? CR4_PKE : 0) | (registers.contains("PKS") ? CR4_PKS : 0));
        rig.keys(pkru, pkrs);
        long bits = Rig.P | (layout.largest() == 3 ? 1L << 59 : 0);
        bits |= page.contains("U") ? Rig.U : 0;
        bits |= page.contains("W") ? Rig.W : 0;
        bits |= page.contains("NX") ? Rig.XD : 0;
        rig.put(root, layout.address(), 1, 0x5000 | bits);
        if (layout == Layout.PAE) {
            rig.pdptes();
        }
        return rig;
    }
}
