package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/** What a guest's writes to its tables come to, in each paging mode that has tables. */
class TableWritesTest extends ShadowFixture {
    private static final long LOW = 0x40_5000L;
    /** Under another directory entry, in the same GiB, and not in the same eight pages. */
    private static final long OTHER = 0xc0_9000L;

    private void begin(PagingMode mode) {
        start(mode);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(OTHER, 101, 1, P | W | U);
        load(tables.state());
    }

    private long gfn(long gva) {
        return Spte.pfn(spte(gva)) - FixtureHost.OFFSET;
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S07 a write to the leaf entry that translates it goes through unsync, and holds from INVLPG on")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void ownLeafEntry(PagingMode mode) {
        begin(mode);
        long entry = tables.entryGpa(LOW, 1);
        tables.entry(entry, entry & -4096L | P | W | U);
        assertThat(access(LOW + (entry & 0xfff), USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(gfn(LOW)).isEqualTo(entry >>> 12);
        assertThat(Spte.writable(spte(LOW))).isTrue();
        tables.entry(entry, 200L << 12 | P | W | U | A | D);
        assertThat(gfn(LOW)).as("as a TLB might still have it").isEqualTo(entry >>> 12);
        context.invalidatePage(LOW);
        access(LOW, USER_READ);
        assertThat(gfn(LOW)).isEqualTo(200);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S07 a write to the directory entry that translates it is emulated once, and the next access takes the new table")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void ownDirectoryEntry(PagingMode mode) {
        begin(mode);
        long entry = tables.entryGpa(LOW, 2);
        long table = tables.entryGpa(OTHER, 1) & -4096L;
        tables.entry(tables.entryGpa(LOW, 1), entry & -4096L | P | W | U);
        tables.entry(table + (tables.entryGpa(LOW, 1) & 0xfff), 300L << 12 | P | W | U);
        access(LOW, USER_READ);
        assertThat(gfn(LOW)).isEqualTo(entry >>> 12);
        assertThat(access(LOW + (entry & 0xfff), USER_WRITE)).isEqualTo(Resolution.EMULATE);
        assertThat(Spte.writable(spte(LOW))).isFalse();
        host.takeFlushes();
        emulatedStore(entry, table | P | W | U);
        assertThat(spte(LOW)).isZero();
        assertThat(host.takeFlushes()).isPositive();
        assertThat(access(LOW, USER_WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(gfn(LOW)).isEqualTo(300);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S07 a write across two tables is told of in each, and drops what either half was the source of")
    @EnumSource(names = {"PAE", "FOUR_LEVEL", "FIVE_LEVEL"})
    void acrossPages(PagingMode mode) {
        host.with(ShadowSettings.UNSYNC, "off");
        start(mode);
        // The last entry of one leaf table and the first of the next, which lies in the next frame.
        long last = 0x5f_f000L;
        tables.map(last, 100, 1, P | W | U);
        tables.map(last + 0x1000, 101, 1, P | W | U);
        load(tables.state());
        access(last, USER_READ);
        access(last + 0x1000, USER_READ);
        long end = tables.entryGpa(last, 1) + 8;
        assertThat(tables.entryGpa(last + 0x1000, 1)).as("tables side by side").isEqualTo(end);
        mmu.guestTableWritten(end - 4, 4, host.clock());
        assertThat(spte(last)).isZero();
        assertThat(gfn(last + 0x1000)).isEqualTo(101);
        mmu.guestTableWritten(end, 4, host.clock());
        assertThat(spte(last + 0x1000)).isZero();
        assertThat(host.count("mmu_flooded")).as("halves of an entry are no misaligned writes").isZero();
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S09 a write to either half of an 8-byte entry drops what it was the source of, and the table stays one")
    @EnumSource(names = {"PAE", "FOUR_LEVEL", "FIVE_LEVEL"})
    void partial(PagingMode mode) {
        for (int half = 0; half < 8; half += 4) {
            host = new FixtureHost(factory, 1);
            begin(mode);
            access(LOW, USER_READ);
            access(OTHER, USER_READ);
            mmu.guestTableWritten(tables.entryGpa(LOW, 2) + half, 4, host.clock());
            assertThat(spte(LOW)).isZero();
            assertThat(gfn(OTHER)).isEqualTo(101);
            assertThat(host.count("mmu_flooded")).isZero();
        }
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S09 a write over two entries, and one of two bytes, ends the table's life at once")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void misaligned(PagingMode mode) {
        long[][] writes = {{mode.entryBytes() - 1, 2}, {0, 2}, {1, 1}, {mode.entryBytes() / 2, mode.entryBytes()}};
        for (long[] write : writes) {
            host = new FixtureHost(factory, 1);
            begin(mode);
            access(LOW, USER_READ);
            access(OTHER, USER_READ);
            mmu.guestTableWritten(tables.entryGpa(LOW, 2) + write[0], (int) write[1], host.clock());
            assertThat(host.count("mmu_flooded")).as("%d bytes at %d", write[1], write[0]).isPositive();
            assertThat(spte(OTHER)).isZero();
        }
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S09 a use by a fault between writes starts the count anew, and the third write in a row floods")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void threshold(PagingMode mode) {
        begin(mode);
        access(LOW, USER_READ);
        long unused = (tables.entryGpa(LOW, 2) & -4096L) + 0x400;
        emulatedStore(unused, 0);
        emulatedStore(unused, 0);
        access(OTHER, USER_READ);
        emulatedStore(unused, 0);
        emulatedStore(unused, 0);
        // Of the four pages of a 32-bit directory the fault has used one.
        long others = mode == PagingMode.BITS_32 ? 3 : 0;
        assertThat(host.count("mmu_flooded")).isEqualTo(others);
        emulatedStore(unused, 0);
        assertThat(host.count("mmu_flooded")).isEqualTo(others + 1);
        assertThat(spte(LOW)).isZero();
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S09 leaf tables are exempt: however often they are written, what no write touches stays")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void leafTablesExempt(PagingMode mode) {
        host.with(ShadowSettings.UNSYNC, "off");
        begin(mode);
        access(LOW, USER_READ);
        for (int i = 0; i < 8; i++) {
            emulatedStore(tables.entryGpa(LOW, 1) + mode.entryBytes(), 0);
        }
        assertThat(host.count("mmu_flooded")).isZero();
        assertThat(gfn(LOW)).isEqualTo(100);
    }
}
