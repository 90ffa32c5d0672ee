package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Nested paging of a guest hypervisor by SVM: APM vol. 2, "Nested Paging". */
class Npt02Test extends NestedNptFixture {
    private static final long GPA = 0x12_3456_7000L;
    private static final long PRESENT = NestedPageFault.PRESENT;
    private static final long USER = NestedPageFault.USER;
    private static final long FINAL = NestedPageFault.FINAL_ADDRESS;

    @BeforeEach
    void begin() {
        start(4, true);
    }

    @Test
    @DisplayName("N04 an address of L2 reaches, by NPT02, the host frame of what NPT12 says")
    void composed() {
        ept12.map(GPA, 300, 1, LEAF);
        assertThat(access(GPA + 0x18, READ)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, WRITE)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, FETCH)).isEqualTo(hpa((300 << 12) + 0x18));
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

    @ParameterizedTest(name = "host pages of level {0}")
    @ValueSource(ints = {1, 2})
    @DisplayName("N04 a 2 MiB page of NPT12 is one of NPT02 where the host has one, else it is split")
    void large(int hostLevel) {
        host = new FixtureHost(factory(), hostLevel);
        start(4, true);
        ept12.map(GPA & -0x20_0000L, 512, 2, LEAF);
        assertThat(access((GPA & -0x20_0000L) + 0x7008, WRITE)).isEqualTo(hpa((512 << 12) + 0x7008));
        assertThat(walk.level).isEqualTo(hostLevel);
        assertThat(access((GPA & -0x20_0000L) + 0x1f_f008, READ)).isEqualTo(hpa((512 << 12) + 0x1f_f008));
    }

    @Test
    @DisplayName("N04 N06 L0 sets accessed and dirty in NPT12 as a processor always does, dirty with the first write only")
    void flags() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, READ);
        assertThat(entry(1) & (A | D)).isEqualTo(A);
        assertThat(entry(4) & A).isEqualTo(A);
        assertThat(walk(GPA, WRITE)).as("NPT02 lets a write through while D of NPT12 is 0").isFalse();
        access(GPA, WRITE);
        assertThat(entry(1) & D).isEqualTo(D);
    }

    @Test
    @DisplayName("N04 an upper table of NPT12 that is shadowed cannot be written by L1 unnoticed; what was derived from the entry is gone at once")
    void upperTableTracked() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 2), 0);
        assertThat(emulated).isEqualTo(before + 1);
        assertThat(walk(GPA, READ)).isFalse();
    }

    @Test
    @DisplayName("N04 a leaf table of NPT12 goes unsync when L1 writes it: NPT02 may be old until a flush, and is not after it")
    void unsyncUntilFlush() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 1), 301 << 12 | LEAF);
        assertThat(emulated).as("emulated stores").isEqualTo(before);
        assertThat(access(GPA, READ)).as("a write to NPT12 without a flush").isEqualTo(hpa(300 << 12));
        l2.invalidateTables(false, tables12);
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N04 a flush of other tables need not, and of all tables must, bring these in step")
    void flushScope() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 0);
        l2.invalidateTables(false, new TranslationRoot.Nested(ept12.root() + 0x10_0000, 4));
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
        l2.invalidateTables(true, tables12);
        assertThat(access(GPA, READ)).isEqualTo(-1);
    }

    @Test
    @DisplayName("N04 N05 a fault that L1 is told of leaves nothing old for the address")
    void faultInvalidates() {
        ept12.map(GPA, 300, 1, P | U);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 301 << 12 | P | U);
        assertThat(access(GPA, WRITE)).isEqualTo(-1);
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N04 a host frame that goes away is reachable neither by L1 nor by L2")
    void hostEvents() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, READ);
        host.hostEvent();
        mmu.hostRangeChanged(300, 1, host.clock());
        assertThat(walk(GPA, READ)).isFalse();
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
    }

    @Test
    @DisplayName("N04 E06 a write by L2 is in the dirty log under L1's frame")
    void dirtyLog() {
        ept12.map(GPA, 300, 1, LEAF);
        access(GPA, WRITE);
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        assertThat(walk(GPA, WRITE)).isFalse();
        access(GPA, WRITE);
        ((DirtyLogging) mmu).collectDirty(host.clock());
        assertThat(host.takeDirty()).contains(300L);
    }

    @Test
    @DisplayName("N04 what NPT12 maps to where L1 has no memory is a device of L1")
    void device() {
        ept12.map(GPA, 1 << 20, 1, LEAF);
        assertThat(access(GPA, READ)).isEqualTo(DEVICE);
    }

    @Test
    @DisplayName("N04 emulation for L2 walks L2's tables through NPT12, as writes, and answers addresses of L1")
    void emulation() {
        GuestTables pages = new GuestTables(host, 256);
        pages.map(0x7000_0000L, 0x12345, 1, GuestTables.P | GuestTables.W | GuestTables.U);
        // L2 has its tables at the same addresses as L1 has them.
        for (int i = 0; i < 8; i++) {
            ept12.map(256 + i << 12, 256 + i, 1, LEAF);
        }
        MmuFault refused = new MmuFault();
        PagingState state = PagingState.longMode(256 << 12);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).as("the page itself is missing in NPT12").isTrue();
        assertThat(refused.gpa).isEqualTo(0x1234_5010L);
        assertThat(refused.qualification).isEqualTo(NestedPageFault.WRITE | USER | FINAL);
        ept12.map(0x1234_5000L, 300, 1, LEAF);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo((300 << 12) + 0x10);
        assertThat(host.guest64(ept12.entryAt(256 << 12, 1)) & D).as("L2's table was written").isEqualTo(D);
        assertThat(l2.gvaToGpa(state, 0x7000_1000L, Access.READ | Access.USER, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).isFalse();
        assertThat(refused.errorCode).isEqualTo(PageFaultError.USER);
        store(ept12.entryAt(256 << 12, 1), 256 << 12 | P | U);
        l2.invalidateTables(false, tables12);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(List.of(refused.nested, refused.gpa, refused.qualification))
                .isEqualTo(List.of(true, 256L << 12, PRESENT | NestedPageFault.WRITE | USER | NestedPageFault.TABLE_WALK));
    }

    private long entry(int level) {
        return host.guest64(ept12.entryAt(GPA, level));
    }
}
