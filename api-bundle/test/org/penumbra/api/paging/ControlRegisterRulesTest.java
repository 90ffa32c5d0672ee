package org.penumbra.api.paging;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * SDM vol. 2, "MOV—Move to/from Control Registers" and "INVPCID—Invalidate Process-Context Identifier"; vol. 3, "PDPTE Registers" and
 * "Activating IA-32e Mode". Bits: CR0 PE 0, WP 16, NW 29, CD 30, PG 31; CR4 PSE 4, PAE 5, PGE 7, LA57 12, PCIDE 17, SMEP 20, SMAP 21;
 * EFER SCE 0, LME 8, LMA 10, NXE 11.
 */
class ControlRegisterRulesTest {
    @ParameterizedTest(name = "T03 CR0 0x{0} to 0x{2}, CR4 0x{1} to 0x{3}, EFER 0x{4}: PDPTEs are loaded {5}")
    @CsvSource({
        "80000001, 20, c0000001, 20,     0,   true",
        "c0000001, 20, e0000001, 20,     0,   true",
        "1,        20, 80000001, 20,     0,   true",
        "80000001, 0,  80000001, 20,     0,   true",
        "80000001, 20, 80000001, a0,     0,   true",
        "80000001, 20, 80000001, 30,     0,   true",
        "80000001, 20, 80000001, 100020, 0,   true",
        "80000001, 20, 80000001, 200020, 0,   false",
        "80000001, 20, 80010001, 20,     0,   false",
        "80000001, 20, 80000001, 20,     0,   false",
        "80000001, 20, 1,        20,     0,   false",
        "80000001, 20, 80000001, 0,      0,   false",
        "80000001, 20, 80000001, a0,     500, false",
        "1,        20, 80000001, 20,     500, false",
    })
    void loadsPdptes(String oldCr0, String oldCr4, String cr0, String cr4, String efer, boolean loads) {
        assertThat(ControlRegisterRules.loadsPdptes(hex(oldCr0), hex(oldCr4), hex(cr0), hex(cr4), hex(efer))).isEqualTo(loads);
    }

    @ParameterizedTest(name = "T05 CR4 0x{1} to 0x{0} with CR3 0x{2}, EFER 0x{3}: allowed {4}")
    @CsvSource({
        "0, 20, 0, 0, true", "0, 20, 0, 500, false", "1020, 20, 0, 500, false", "20, 1020, 0, 500, false", "1020, 20, 0, 0, true",
        "20020, 20, 1000, 500, true", "20020, 20, 1001, 500, false", "20020, 20, 1000, 0, false", "20020, 20020, 1fff, 500, true",
        "100000020, 20, 0, 500, false", "4020, 20, 0, 500, false", "2020, 20, 0, 500, true",
    })
    void cr4(String value, String old, String cr3, String efer, boolean allowed) {
        assertThat(ControlRegisterRules.cr4Allowed(hex(value), hex(old), hex(cr3), hex(efer), 57)).isEqualTo(allowed);
    }

    @ParameterizedTest(name = "T05 CR4 0x{0} on a processor with {1} linear-address bits: allowed {2}")
    @CsvSource({"1020, 57, true", "1020, 48, false", "20, 48, true"})
    void la57(String value, int bits, boolean allowed) {
        assertThat(ControlRegisterRules.la57Allowed(hex(value), bits)).isEqualTo(allowed);
        assertThat(ControlRegisterRules.cr4Allowed(hex(value), 0x20, 0, 0, bits)).isEqualTo(allowed);
    }

    @ParameterizedTest(name = "T04 CR0 to 0x{0} with CR4 0x{1}, EFER 0x{2}: allowed {3}")
    @CsvSource({
        "80000001, 20, 100, true", "80000001, 0, 100, false", "80000001, 0, 0, true", "80000000, 0, 0, false", "1, 20020, 500, false",
        "1, 20, 500, true", "20000001, 0, 0, false", "60000001, 0, 0, true",
    })
    void cr0(String value, String cr4, String efer, boolean allowed) {
        assertThat(ControlRegisterRules.cr0Allowed(hex(value), hex(cr4), hex(efer))).isEqualTo(allowed);
    }

    @ParameterizedTest(name = "T04 EFER 0x{1} to 0x{0} with CR0 0x{2}: allowed {3}; LMA then follows CR0: 0x{4}")
    @CsvSource({
        "100, 0, 1, true, 100", "100, 0, 80000001, false, 0", "d00, 500, 80000001, true, d00", "500, d00, 80000001, true, 500",
        "0, 500, 80000001, false, 0", "d01, 500, 80000001, true, d01", "2, 0, 1, false, 0", "1000, 0, 1, false, 0",
    })
    void efer(String value, String old, String cr0, boolean allowed, String then) {
        assertThat(ControlRegisterRules.eferAllowed(hex(value), hex(old), hex(cr0))).isEqualTo(allowed);
        if (allowed) {
            assertThat(ControlRegisterRules.efer(hex(cr0), hex(value))).isEqualTo(hex(then));
        }
    }

    @ParameterizedTest(name = "T11 INVPCID type {0}, PCID 0x{1}, address 0x{2}, CR4 0x{3}, {4}: allowed {5}")
    @CsvSource({
        "0, 0, 1000, 20, FOUR_LEVEL, true", "0, 1, 1000, 20, FOUR_LEVEL, false", "1, 1, 0, 20, FOUR_LEVEL, false",
        "0, fff, 1000, 20020, FOUR_LEVEL, true", "1, 1000, 0, 20020, FOUR_LEVEL, false", "2, 1000, 0, 20020, FOUR_LEVEL, false",
        "3, 1000, 0, 20020, FOUR_LEVEL, false", "2, 1, 0, 20, FOUR_LEVEL, true", "3, 1, 0, 20, FOUR_LEVEL, true",
        "0, 0, 800000000000, 20, FOUR_LEVEL, false", "0, 0, 800000000000, 1020, FIVE_LEVEL, true",
        "1, 0, 800000000000, 20, FOUR_LEVEL, true", "4, 0, 0, 20, FOUR_LEVEL, false", "-1, 0, 0, 20, FOUR_LEVEL, false",
    })
    void invpcid(int type, String pcid, String gva, String cr4, PagingMode mode, boolean allowed) {
        assertThat(ControlRegisterRules.invpcidAllowed(type, hex(pcid), hex(gva), hex(cr4), mode)).isEqualTo(allowed);
    }

    @ParameterizedTest(name = "T04 MOV to CR3 of 0x{0} with CR4 0x{1} and 40 address bits: allowed {2}")
    @CsvSource({"fffffff000, 20, true", "10000000000, 20, false", "8000000000001000, 20, false", "8000000000001000, 20020, true",
        "4000000000001000, 20020, false", "8000010000000000, 20020, false"})
    void cr3(String value, String cr4, boolean allowed) {
        assertThat(ControlRegisterRules.cr3Allowed(hex(value), hex(cr4), 1L << 40)).isEqualTo(allowed);
    }

    private static long hex(String s) {
        return Long.parseUnsignedLong(s.trim(), 16);
    }
}
