package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.GuestTables;

/** Nested paging of a guest hypervisor by VMX: SDM vol. 3, "The Extended Page Table Mechanism (EPT)". */
class Ept02Test extends Tables02Contract {
    private static final long RWX = Ept12Tables.R | Ept12Tables.W | Ept12Tables.X;
    private static final long PAGE = RWX | Ept12Tables.WB;

    Ept02Test() {
        super(TdpFormat.EPT, PAGE, PAGE & ~Ept12Tables.W, Ept12Tables.A, Ept12Tables.D);
    }

    @Override
    TranslationRoot otherTables() {
        return named(eptp12 + 0x10_0000);
    }

    @Override
    long missingPage() {
        return WRITE | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS;
    }

    @Override
    long unwalkable() {
        return 0;
    }

    @Override
    long refusedWalk() {
        return READ | WRITE | EptViolation.LINEAR_VALID;
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

    @Test
    @DisplayName("N03 a 1 GiB page of EPT12 is split into pages that the host has")
    void gigabyte() {
        ept12.map(0x40_0000_0000L, 0, 3, PAGE);
        assertThat(access(0x40_0000_0000L + 0x30_1000, READ)).isEqualTo(hpa(0x30_1000));
        assertThat(walk.level).isEqualTo(2);
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
    @DisplayName("N03 an entry that becomes present needs no INVEPT")
    void appears() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1) + 8, 302 << 12 | PAGE);
        assertThat(access(GPA + 0x1000, READ)).isEqualTo(hpa(302 << 12));
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

    @Test
    @DisplayName("N06 a dirty flag that L0 sets in EPT12 is logged for L1 by its page, once until L1 clears it and executes INVEPT")
    void logged() {
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA + 0x123, READ);
        assertThat(host.logged12).isEmpty();
        access(GPA + 0x123, WRITE);
        access(GPA + 0x456, WRITE);
        assertThat(host.logged12).containsExactly(GPA);
        store(ept12.entryAt(GPA, 1), entry(1) & ~Ept12Tables.D);
        l2.invalidateTables(false, tables12);
        access(GPA, WRITE);
        assertThat(host.logged12).containsExactly(GPA, GPA);
    }

    @Test
    @DisplayName("N06 with L1's log full the write is L1's to see, no dirty flag is set, and reads go on")
    void logFull() {
        ept12.map(GPA, 300, 1, PAGE);
        host.room12 = 0;
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
        assertThat(access(GPA, WRITE)).isEqualTo(-1);
        assertThat(fault.logFull).isTrue();
        assertThat(entry(1) & Ept12Tables.D).isZero();
        host.room12 = 1;
        assertThat(access(GPA, WRITE)).isEqualTo(hpa(300 << 12));
        assertThat(fault.logFull).isFalse();
        assertThat(host.logged12).containsExactly(GPA);
    }

    @Test
    @DisplayName("N06 a write of L2 that is emulated is logged for L1, and so is one refused for a full log")
    void loggedByEmulation() {
        GuestTables pages = new GuestTables(host, 256);
        pages.map(0x7000_0000L, GPA >>> 12, 1, GuestTables.P | GuestTables.W | GuestTables.U);
        // L2 has its tables at the same addresses as L1 has them.
        for (int i = 0; i < 8; i++) {
            ept12.map(256 + i << 12, 256 + i, 1, PAGE);
        }
        ept12.map(GPA, 300, 1, PAGE);
        MmuFault f = new MmuFault();
        PagingState state = PagingState.longMode(256 << 12);
        host.room12 = 0;
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, f)).isEqualTo(MmuContext.FAULT);
        assertThat(f.nested && f.logFull).as("the walk of L2's tables counts as a write to them").isTrue();
        host.room12 = 9;
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, f)).isEqualTo((300 << 12) + 0x10);
        assertThat(host.logged12).startsWith(256L << 12).endsWith(GPA).hasSize(5);
    }

    @Test
    @DisplayName("N06 without flags in EPT12 nothing is logged")
    void noFlagsNoLog() {
        start(4, false);
        ept12.map(GPA, 300, 1, PAGE);
        access(GPA, WRITE);
        assertThat(host.logged12).isEmpty();
    }
}
