package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.ept.Npt12Bits.*;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;

/** Nested paging of a guest hypervisor by SVM: APM vol. 2, "Nested Paging". */
class Npt02Test extends Tables02Contract {
    private static final long PRESENT = NestedPageFault.PRESENT;
    private static final long USER = NestedPageFault.USER;
    private static final long FINAL = NestedPageFault.FINAL_ADDRESS;

    Npt02Test() {
        super(TdpFormat.NPT, LEAF, P | U, A, D);
    }

    @Override
    TranslationRoot otherTables() {
        return new TranslationRoot.Nested(ept12.root() + 0x10_0000, 4);
    }

    @Override
    long missingPage() {
        return NestedPageFault.WRITE | USER | FINAL;
    }

    @Override
    long unwalkable() {
        return 256 << 12 | P | U;
    }

    @Override
    long refusedWalk() {
        return PRESENT | NestedPageFault.WRITE | USER | NestedPageFault.TABLE_WALK;
    }

    @ParameterizedTest(name = "NPT12 of {0} levels")
    @ValueSource(ints = {4, 5})
    @DisplayName("N04 on a host of 4 levels NPT02 has as many as NPT12, and no-execute whatever L1's EFER.NXE")
    void root(int levels) {
        start(levels, false);
        assertThat(l2.root()).isInstanceOfSatisfying(TranslationRoot.Nested.class, npt -> {
            assertThat(npt.levels()).isEqualTo(levels);
            assertThat(npt.noExecute()).isTrue();
        });
        ept12.map(GPA, 300, 1, LEAF);
        assertThat(access(GPA, FETCH)).isEqualTo(hpa(300 << 12));
    }

    @ParameterizedTest(name = "NPT12 of {0} levels")
    @ValueSource(ints = {4, 5})
    @DisplayName("N04 E08 on a host of 5 levels NPT02 has 5, whatever NPT12 has; what 4 levels do not translate is not present")
    void fiveLevels(int levels) {
        host = new FixtureHost(factory(), 1).with("npt.levels", "5");
        start(levels, true);
        ept12.map(GPA, 300, 1, LEAF);
        assertThat(access(GPA, WRITE)).isEqualTo(hpa(300 << 12));
        assertThat(((TranslationRoot.Nested) l2.root()).levels()).isEqualTo(5);
        assertThat(access(GPA | 1L << 48, READ)).isEqualTo(-1);
        assertThat(fault.qualification).isEqualTo(USER | FINAL);
        // As many other roots as are kept, and one more: the first is given up.
        TranslationRoot first = l2.root();
        for (int n = 1; n <= 5; n++) {
            l2.enter(new TranslationRoot.Nested(ept12.root() + ((long) n << 20), levels));
            l2.root();
        }
        enter(tables12);
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
        assertThat(l2.root()).isNotSameAs(first);
    }

    @ParameterizedTest(name = "bits {0}")
    @ValueSource(strings = {"P", "PU", "PW", "PWU", "PUX", "PWUX"})
    @DisplayName("N04 N05 what NPT12 does not allow a user is L1's to see: P = 1 and the bits of the access, U/S always; the rest stays as the processor said")
    void reflected(String letters) {
        long bits = (letters.contains("W") ? W : 0) | (letters.contains("U") ? U : 0) | P | (letters.contains("X") ? NX : 0);
        ept12.map(GPA, 300, 1, bits);
        for (int access : new int[] {READ, WRITE, FETCH}) {
            boolean allowed = (bits & U) != 0 && (access != WRITE || (bits & W) != 0) && (access != FETCH || (bits & NX) == 0);
            assertThat(access(GPA, access)).as("access %d", access).isEqualTo(allowed ? hpa(300 << 12) : -1);
            if (!allowed) {
                long did = access == WRITE ? NestedPageFault.WRITE : access == FETCH ? NestedPageFault.FETCH : 0;
                assertThat(fault.gpa).isEqualTo(GPA);
                assertThat(fault.qualification).isEqualTo(did | PRESENT | USER | FINAL);
            }
        }
    }

    @Test
    @DisplayName("N04 N05 where NPT12 has nothing P is 0, also when NPT02 was what refused with P = 1")
    void absent() {
        ept12.map(GPA, 300, 1, LEAF);
        assertThat(access(GPA + 0x1000, READ)).isEqualTo(-1);
        assertThat(fault.qualification).isEqualTo(USER | FINAL);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 0);
        MmuFault denied = new MmuFault();
        denied.gpa = GPA;
        denied.qualification = PRESENT | USER | NestedPageFault.WRITE | FINAL;
        assertThat(l2.resolve(denied)).isEqualTo(Resolution.INJECT);
        assertThat(denied.qualification).isEqualTo(USER | NestedPageFault.WRITE | FINAL);
    }

    @ParameterizedTest(name = "bits {0} of level {1}, EFER.NXE {2}")
    @CsvSource({"0x800000000007, 1, true", "0x2007, 2, true", "0x87, 4, true", "0x8000000000000007, 1, false"})
    @DisplayName("N04 N05 a reserved bit in NPT12 is told with RSV and P; bit 63 is one while L1's EFER.NXE is 0")
    void reserved(String bits, int level, boolean noExecute) {
        start(4, noExecute);
        ept12.map(GPA, 512, Math.min(level, 3), LEAF);
        long entry = Long.parseUnsignedLong(bits.substring(2), 16);
        store(ept12.entryAt(GPA, level), 512 << 12 | entry | (level > 1 ? Ept12Tables.LARGE : 0));
        assertThat(access(GPA, READ)).isEqualTo(-1);
        assertThat(fault.misconfigured).as("there is no such exit of SVM").isFalse();
        assertThat(fault.qualification).isEqualTo(PRESENT | USER | NestedPageFault.RESERVED | FINAL);
    }

    @Test
    @DisplayName("N04 an address of L2 with more bits than NPT12 translates is not present")
    void tooLong() {
        MmuFault beyond = new MmuFault();
        beyond.gpa = 1L << 48;
        beyond.qualification = USER | FINAL;
        assertThat(l2.resolve(beyond)).isEqualTo(Resolution.INJECT);
        assertThat(beyond.qualification).isEqualTo(USER | FINAL);
    }
}
