package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** What holds of the tables for L2 in either format: of EPT02 made from EPT12, and of NPT02 made from NPT12. */
abstract class Tables02Contract extends NestedFixture {
    static final long GPA = 0x12_3456_7000L;

    /** Bits of a leaf of L1's that lets L2 do everything; of one that it cannot write. */
    private final long page;
    private final long readOnly;
    private final long accessed;
    private final long dirty;

    Tables02Contract(TdpFormat format, long page, long readOnly, long accessed, long dirty) {
        super(format);
        this.page = page;
        this.readOnly = readOnly;
        this.accessed = accessed;
        this.dirty = dirty;
    }

    /** Tables of L1 that are not those of L2. */
    abstract TranslationRoot otherTables();

    /** How L1 is told of a write by emulation to a page that is missing in its tables. */
    abstract long missingPage();

    /** The entry of L1's tables for L2's top table, at 256 << 12, that does not let a processor walk it; how L1 is told. */
    abstract long unwalkable();

    abstract long refusedWalk();

    @BeforeEach
    void begin() {
        start(4, true);
    }

    @Test
    @DisplayName("N03 N04 an address of L2 reaches, by EPT02 or NPT02, the host frame of what EPT12 or NPT12 says")
    void composed() {
        ept12.map(GPA, 300, 1, page);
        assertThat(access(GPA + 0x18, READ)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, WRITE)).isEqualTo(hpa((300 << 12) + 0x18));
        assertThat(access(GPA + 0x18, FETCH)).isEqualTo(hpa((300 << 12) + 0x18));
    }

    @ParameterizedTest(name = "host pages of level {0}")
    @ValueSource(ints = {1, 2})
    @DisplayName("N03 N04 a 2 MiB page of L1's tables is one of L0's where the host has one, else it is split")
    void large(int hostLevel) {
        host = new FixtureHost(factory(), hostLevel);
        start(4, true);
        ept12.map(GPA & -0x20_0000L, 512, 2, page);
        assertThat(access((GPA & -0x20_0000L) + 0x7008, WRITE)).isEqualTo(hpa((512 << 12) + 0x7008));
        assertThat(walk.level).isEqualTo(hostLevel);
        assertThat(access((GPA & -0x20_0000L) + 0x1f_f008, READ)).isEqualTo(hpa((512 << 12) + 0x1f_f008));
    }

    @Test
    @DisplayName("N04 N06 L0 sets accessed and dirty in L1's tables as a processor would, dirty with the first write only; in EPT12 with flags")
    void flags() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, READ);
        assertThat(entry(1) & (accessed | dirty)).isEqualTo(accessed);
        assertThat(entry(2) & (accessed | dirty)).isEqualTo(accessed);
        assertThat(entry(4) & accessed).isEqualTo(accessed);
        assertThat(walk(GPA, WRITE)).as("a write goes through while D of L1's entry is 0").isFalse();
        access(GPA, WRITE);
        assertThat(entry(1) & dirty).isEqualTo(dirty);
    }

    @Test
    @DisplayName("N03 N04 an upper table of L1's that is shadowed cannot be written by L1 unnoticed; what was derived from the entry is gone at once")
    void upperTableTracked() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 2), 0);
        assertThat(emulated).isEqualTo(before + 1);
        assertThat(walk(GPA, READ)).isFalse();
    }

    @Test
    @DisplayName("N03 N04 a leaf table of L1's goes unsync when L1 writes it: L0's may be old until INVEPT or a flush, and is not after it")
    void unsyncUntilInvalidated() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, READ);
        int before = emulated;
        store(ept12.entryAt(GPA, 1), 301 << 12 | page);
        assertThat(emulated).as("emulated stores").isEqualTo(before);
        assertThat(access(GPA, READ)).as("a write to a table without an invalidation").isEqualTo(hpa(300 << 12));
        l2.invalidateTables(false, tables12);
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N03 N04 an invalidation of other tables need not, and of all tables must, bring these in step")
    void scope() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 0);
        l2.invalidateTables(false, otherTables());
        assertThat(access(GPA, READ)).as("an invalidation of other tables drops nothing of these").isEqualTo(hpa(300 << 12));
        l2.invalidateTables(true, otherTables());
        assertThat(access(GPA, READ)).isEqualTo(-1);
    }

    @Test
    @DisplayName("N04 N05 a refusal that L1 is told of leaves nothing old for the address")
    void refusalInvalidates() {
        ept12.map(GPA, 300, 1, readOnly);
        access(GPA, READ);
        store(ept12.entryAt(GPA, 1), 301 << 12 | readOnly);
        assertThat(access(GPA, WRITE)).isEqualTo(-1);
        assertThat(access(GPA, READ)).isEqualTo(hpa(301 << 12));
    }

    @Test
    @DisplayName("N03 N04 a host frame that goes away is reachable neither by L1 nor by L2")
    void hostEvents() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, READ);
        host.hostEvent();
        mmu.hostRangeChanged(300, 1, host.clock());
        assertThat(walk(GPA, READ)).isFalse();
        assertThat(access(GPA, READ)).isEqualTo(hpa(300 << 12));
    }

    @Test
    @DisplayName("N03 N04 E06 a write by L2 is in the dirty log under L1's frame")
    void dirtyLog() {
        ept12.map(GPA, 300, 1, page);
        access(GPA, WRITE);
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        assertThat(walk(GPA, WRITE)).isFalse();
        access(GPA, WRITE);
        ((DirtyLogging) mmu).collectDirty(host.clock());
        assertThat(host.takeDirty()).contains(300L);
    }

    @Test
    @DisplayName("N03 N04 what L1's tables map to where L1 has no memory is a device of L1")
    void device() {
        ept12.map(GPA, 1 << 20, 1, page);
        assertThat(access(GPA, READ)).isEqualTo(DEVICE);
    }

    @Test
    @DisplayName("N03 N04 emulation for L2 walks L2's tables through L1's, sets flags in both, and answers addresses of L1")
    void emulation() {
        GuestTables pages = new GuestTables(host, 256);
        pages.map(0x7000_0000L, 0x12345, 1, GuestTables.P | GuestTables.W | GuestTables.U);
        // L2 has its tables at the same addresses as L1 has them.
        for (int i = 0; i < 8; i++) {
            ept12.map(256 + i << 12, 256 + i, 1, page);
        }
        MmuFault refused = new MmuFault();
        PagingState state = PagingState.longMode(256 << 12);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).as("the page itself is missing in L1's tables").isTrue();
        assertThat(refused.gpa).isEqualTo(0x1234_5010L);
        assertThat(refused.qualification).isEqualTo(missingPage());
        ept12.map(0x1234_5000L, 300, 1, page);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo((300 << 12) + 0x10);
        assertThat(host.guest64(ept12.entryAt(256 << 12, 1)) & dirty).as("L2's table was written").isEqualTo(dirty);
        assertThat(l2.gvaToGpa(state, 0x7000_1000L, Access.READ | Access.USER, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(refused.nested).isFalse();
        assertThat(refused.errorCode).isEqualTo(PageFaultError.USER);
        store(ept12.entryAt(256 << 12, 1), unwalkable());
        l2.invalidateTables(false, tables12);
        assertThat(l2.gvaToGpa(state, 0x7000_0010L, Access.WRITE, refused)).isEqualTo(MmuContext.FAULT);
        assertThat(List.of(refused.nested, refused.gpa, refused.qualification)).isEqualTo(List.of(true, 256L << 12, refusedWalk()));
    }

    /** L1's entry of {@code level} for {@link #GPA}. */
    long entry(int level) {
        return host.guest64(ept12.entryAt(GPA, level));
    }
}
