package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.fixture.GuestTables;

class Ept02Test extends NestedFixture {
    private static final long GPA = 0x12_3456_7000L;

    @BeforeEach
    void begin() {
        start(4, true);
    }

    @Test
    @DisplayName("N03 an address of L2 reaches, by EPT02, the host frame of what EPT12 says")
    void composed() {
        ept12.map(GPA, 300, 1, PAGE);
        assertThat(access(GPA + 0x18, READ)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, WRITE)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, FETCH)).isEqualTo(hpa((300 << 12) + 0x18));
    }

    @ParameterizedTest(name = "EPT12 of {0} levels, flags {1}")
    @CsvSource({"4, true", "4, false", "5, true", "5, false"})
    @DisplayName("N03 N06 EPT02 has as many levels as EPT12 and accessed and dirty flags if EPT12 has them")
    void root(int levels, boolean flags) {
        start(levels, flags);
        long eptp02 = eptp(l2.root());
        assertThat((eptp02 >>> 3 & 7) + 1).isEqualTo(levels);
        assertThat((eptp02 & Ept12Tables.FLAGS) != 0).isEqualTo(flags);
        assertThat(eptp02 & 7).as("memory type of the tables").isEqualTo(6);
        ept12.map(GPA, 300, 1, PAGE);
        assertThat(access(GPA, WRITE)).isEqualTo(hpa(300 << 12));
    }

    @ParameterizedTest(name = "rights {0}")
    @ValueSource(longs = {1, 3, 4, 5, 7})
    @DisplayName("N05 what EPT12 does not allow is L1's to see, with what it allows in bits 5:3; the rest stays as the processor said")
    void reflected(long rights) {
        ept12.map(GPA, 300, 1, rights | Ept12Tables.WB);
        for (int access : new int[] {READ, WRITE, FETCH}) {
            boolean allowed = (rights & access) != 0;
            assertThat(access(GPA, access)).as("access %d", access).isEqualTo(allowed ? hpa(300 << 12) : -1);
            if (!allowed) {
                assertThat(fault.gpa).isEqualTo(GPA);
                assertThat(fault.misconfigured).isFalse();
                assertThat(fault.qualification)
                        .isEqualTo(access | rights << 3 | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS);
            }
        }
    }

    @Test
    @DisplayName("N05 where EPT12 has nothing, bits 5:3 are 0, whatever the levels above allow")
    void absent() {
        ept12.map(GPA, 300, 1, PAGE);
        assertThat(access(GPA + 0x1000, READ)).isEqualTo(-1);
        assertThat(fault.qualification & 0x3f).isEqualTo(READ);
        assertThat(access(0xff_0000_0000L, WRITE)).isEqualTo(-1);
        assertThat(fault.qualification & 0x3f).isEqualTo(WRITE);
    }

    @ParameterizedTest(name = "entry {0} of level {1}")
    @CsvSource({
        "0x12c012, 1", "0x12c016, 1", "0x12c017, 1", "0x12c03a, 1", "0x800000012c037, 1", "0x2010b7, 2", "0x97, 2", "0x47, 3", "0x87, 4",
        "0x1000b7, 3"
    })
    @DisplayName("N05 a misconfigured entry of EPT12 is a misconfiguration for L1: W without R, memory types 2, 3, 7, reserved bits")
    void misconfigured(String entry, int level) {
        ept12.map(GPA, 512, level == 4 ? 3 : level, PAGE);
        store(ept12.entryAt(GPA, level), Long.decode(entry));
        assertThat(access(GPA, READ)).isEqualTo(-1);
        assertThat(fault.misconfigured).isTrue();
    }

    @Test
    @DisplayName("N03 an address of L2 with more bits than EPT12 translates is a violation")
    void tooLong() {
        assertThat(access(1L << 48, READ)).isEqualTo(-1);
        assertThat(fault.misconfigured).isFalse();
        assertThat(fault.qualification & 0x3f).isEqualTo(READ);
    }

    @ParameterizedTest(name = "host pages of level {0}")
    @ValueSource(ints = {1, 2})
    @DisplayName("N03 a 2 MiB page of EPT12 is one of EPT02 where the host has one, else it is split")
    void large(int hostLevel) {
        host = new org.penumbra.testkit.fixture.FixtureHost(new EptMmuFactory(), hostLevel);
        start(4, true);
        ept12.map(GPA & -0x20_0000L, 512, 2, PAGE);
        assertThat(access((GPA & -0x20_0000L) + 0x7008, WRITE)).isEqualTo(hpa((512 << 12) + 0x7008));
        assertThat(walk.level).isEqualTo(hostLevel);
        assertThat(access((GPA & -0x20_0000L) + 0x1f_f008, READ)).isEqualTo(hpa((512 << 12) + 0x1f_f008));
    }

    @Test
    @DisplayName("N03 a 1 GiB page of EPT12 is split into pages that the host has")
    void gigabyte() {
        ept12.map(0x40_0000_0000L, 0, 3, PAGE);
        assertThat(access(0x40_0000_0000L + 0x30_1000, READ)).isEqualTo(hpa(0x30_1000));
        assertThat(walk.level).isEqualTo(2);
    }

    @Test
    @DisplayName("N06 with flags L0 sets accessed and dirty in EPT12 as a processor would, dirty with the first write only")
    void flags() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        assertThat(entry(1) & (Ept12Tables.A | Ept12Tables.D)).isEqualTo(Ept12Tables.A);
        assertThat(entry(2) & (Ept12Tables.A | Ept12Tables.D)).isEqualTo(Ept12Tables.A);
        assertThat(entry(4) & Ept12Tables.A).isEqualTo(Ept12Tables.A);
        assertThat(walk(GPA, WRITE)).as("EPT02 lets a write through while D of EPT12 is 0").isFalse();
        access(GPA, WRITE);
        assertThat(entry(1) & Ept12Tables.D).isEqualTo(Ept12Tables.D);
    }

    @Test
    @DisplayName("N06 without flags EPT12 stays as L1 has written it")
    void noFlags() {
        start(4, false);
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, WRITE);
        assertThat(entry(1)).isEqualTo(300 << 12 | PAGE);
        assertThat(entry(4) & Ept12Tables.A).isZero();
    }

    @Test
    @DisplayName("S02 role bit ad_disabled: tables with and without flags have shadows of their own, since what a clear D means differs")
    void adDisabled() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        l2.enter(named(ept12.eptp(false)));
        access(GPA, READ);
        assertThat(walk(GPA, WRITE)).as("without flags nothing waits for D").isTrue();
        l2.enter(named(ept12.eptp(true)));
        assertThat(walk(GPA, READ)).isTrue();
        assertThat(walk(GPA, WRITE)).as("with flags D is set first").isFalse();
    }

    @Test
    @DisplayName("N03 an upper table of EPT12 that is shadowed cannot be written by L1 unnoticed; what was derived from the entry is gone at once")
    void upperTableTracked() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 2), 0);
        assertThat(emulated).isEqualTo(before + 1);
        assertThat(walk(GPA, READ)).isFalse();
    }

    @Test
    @DisplayName("N03 a leaf table of EPT12 goes unsync when L1 writes it: EPT02 may be old until INVEPT, and is not after it")
    void unsyncUntilInvept() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 1), 301 << 12 | PAGE);
        assertThat(emulated).as("emulated stores").isEqualTo(before);
        assertThat(access(GPA, READ)).as("a write to EPT12 without INVEPT").isEqualTo(hpa(300 << 12));
        l2.invalidateTables(false, named(eptp12));
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N03 INVEPT of other tables need not, and of all tables must, bring these in step")
    void inveptScope() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 0);
        l2.invalidateTables(false, named(eptp12 + 0x10_0000));
        assertThat(access(GPA, READ)).as("INVEPT of another EPTP drops nothing of this one").isEqualTo(hpa(300 << 12));
        l2.invalidateTables(true, named(0));
        assertThat(access(GPA, READ)).isEqualTo(-1);
    }

    @Test
    @DisplayName("N03 INVEPT reaches tables that are not current: they are in step when they are entered again")
    void inveptOfAnother() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        l2.enter(named(eptp12 ^ Ept12Tables.FLAGS));
        l2.root();
        store(ept12.entryAt(GPA, 1), 0);
        l2.invalidateTables(false, named(eptp12));
        l2.enter(named(eptp12));
        assertThat(access(GPA, READ)).isEqualTo(-1);
    }

    @Test
    @DisplayName("N05 a violation that L1 is told of leaves nothing old for the address")
    void violationInvalidates() {
        ept12.map(GPA, 300, 1, PAGE & ~Ept12Tables.W);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 301 << 12 | PAGE & ~Ept12Tables.W);
        assertThat(access(GPA, WRITE)).isEqualTo(-1);
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N03 an entry that becomes present needs no INVEPT")
    void appears() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1) + 8, 302 << 12 | PAGE);
        assertThat(access(GPA + 0x1000, READ)).isEqualTo(hpa(302 << 12));
    }

    @Test
    @DisplayName("N03 a host frame that goes away is reachable neither by L1 nor by L2")
    void hostEvents() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        host.hostEvent();
        mmu.hostRangeChanged(300, 1, host.clock());
        assertThat(walk(GPA, READ)).isFalse();
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
    }

    @Test
    @DisplayName("N03 E06 a write by L2 is in the dirty log under L1's frame")
    void dirtyLog() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, WRITE);
        host.logging(true);
        mmu.newContext(host);
        ((org.penumbra.api.mmu.DirtyLogging) mmu).startDirtyLog(host.clock());
        assertThat(walk(GPA, WRITE)).isFalse();
        access(GPA, WRITE);
        ((org.penumbra.api.mmu.DirtyLogging) mmu).collectDirty(host.clock());
        assertThat(host.takeDirty()).contains(300L);
    }

    @Test
    @DisplayName("N03 what EPT12 maps to where L1 has no memory is a device of L1")
    void device() {
        ept12.map(GPA, 1 << 20, 1, PAGE);
        walk(GPA, READ);
        MmuFault violation = new MmuFault();
        violation.gpa = GPA;
        violation.qualification = READ;
        assertThat(l2.resolve(violation)).isEqualTo(Resolution.MMIO);
    }

    @Test
    @DisplayName("N03 emulation for L2 walks L2's tables through EPT12, sets flags in both, and answers addresses of L1")
    void emulation() {
        GuestTables pages = new GuestTables(host, 256);
        pages.map(0x7000_0000L, 0x12345, 1, GuestTables.P | GuestTables.W | GuestTables.U);
        // L2 has its tables at the same addresses as L1 has them.
        for (int i = 0; i < 8; i++) {
            ept12.map(256 + i << 12, 256 + i, 1, PAGE);
        }
        MmuFault refused = new MmuFault();
        PagingState state = PagingState.longMode(256 << 12);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).as("the page itself is missing in EPT12").isTrue();
        assertThat(refused.gpa).isEqualTo(0x1234_5010L);
        assertThat(refused.qualification).isEqualTo(WRITE | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS);
        ept12.map(0x1234_5000L, 300, 1, PAGE);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo((300 << 12) + 0x10);
        assertThat(host.guest64(ept12.entryAt(256 << 12, 1)) & Ept12Tables.D).as("L2's table was written").isEqualTo(Ept12Tables.D);
        assertThat(l2.gvaToGpa(state, 0x7000_1000L, Access.READ | Access.USER, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).isFalse();
        assertThat(refused.errorCode).isEqualTo(PageFaultError.USER);
        store(ept12.entryAt(256 << 12, 1), 0);
        l2.invalidateTables(false, named(eptp12));
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(List.of(refused.nested, refused.gpa, refused.qualification))
                .isEqualTo(List.of(true, (256L << 12), (long) (READ | WRITE | EptViolation.LINEAR_VALID)));
    }

    @Test
    @DisplayName("N03 pages that are counted are those of the tree and of EPT02, and none once the MMU is closed")
    void counted() {
        ept12.map(GPA, 300, 1, PAGE);
        long tree = host.count("pages_4k");
        access(GPA, READ);
        assertThat(host.count("pages_4k")).isGreaterThan(tree);
        mmu.close();
        assertThat(host.count("pages_4k") + host.count("pages_2m")).isZero();
    }

    private long entry(int level) {
        return host.guest64(ept12.entryAt(GPA, level));
    }

    @ParameterizedTest(name = "bits 6:3 of the EPT12 leaf: {0}")
    @ValueSource(longs = {0, 1, 4, 5, 6, 8, 9, 12, 13, 14})
    @DisplayName("N03 T16 a page of L2 has the memory type that EPT12 gives it, L0's being write-back, which leaves it alone; in a piece of a large page too")
    void memoryType(long type) {
        ept12.map(GPA, 300, 1, RWX | type << 3);
        ept12.map(GPA + (4 << 20), 1024, 2, RWX | type << 3 | 1 << 7);
        for (long gpa : new long[] {GPA, GPA + (4 << 20)}) {
            access(gpa, READ);
            assertThat(walk.memoryType).isEqualTo((int) type & 7);
            assertThat(walk.ignorePat).isEqualTo((type & 8) != 0);
        }
    }

    @Test
    @DisplayName("N03 T16 a memory type that L1 changes in EPT12 counts after INVEPT")
    void memoryTypeChanges() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, WRITE);
        assertThat(walk.memoryType).isEqualTo(6);
        ept12.map(GPA, 300, 1, RWX | 3 << 8);
        l2.invalidateTables(false, named(eptp12));
        access(GPA, READ);
        assertThat(walk.memoryType).isZero();
    }
}
