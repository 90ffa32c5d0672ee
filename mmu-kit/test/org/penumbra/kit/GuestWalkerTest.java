package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/** The software walk: what it reads, sets and refuses. */
class GuestWalkerTest {
    private static final long P = 1;
    private static final long W = 2;
    private static final long U = 4;
    private static final long PS = 0x80;
    private static final long ROOT = 0x1000;
    private static final long GVA = 0x40_0040_3000L;
    private static final PagingState STATE = PagingState.longMode(ROOT);

    private final PhysicalMemory memory = new PhysicalMemory(1 << 20);
    private final FlatGuestMemory flat = new FlatGuestMemory(memory);
    private final GuestWalker walker = new GuestWalker(flat, 46);

    @BeforeEach
    void tables() {
        entry(4, 0x2000 | P | W | U);
        entry(3, 0x3000 | P | W | U);
        entry(2, 0x4000 | P | W | U);
        entry(1, 0x50000 | P | W | U);
    }

    private long entryAddress(int level) {
        return 0x1000L * (5 - level) + 8 * (GVA >>> 12 + 9 * (level - 1) & 511);
    }

    private void entry(int level, long value) {
        memory.store64(entryAddress(level), value);
    }

    private long entry(int level) {
        return memory.load64(entryAddress(level));
    }

    @Test
    @DisplayName("T07 a read sets A at every level and no D; a write sets D in the leaf")
    void accessedAndDirty() {
        assertThat(walker.walk(STATE, GVA, Access.READ)).isTrue();
        for (int level = 1; level <= 4; level++) {
            assertThat(entry(level) & 0x60).as("level %d", level).isEqualTo(0x20);
        }
        assertThat(walker.rights & Rights.WRITE).isZero();
        assertThat(walker.walk(STATE, GVA, Access.WRITE)).isTrue();
        assertThat(entry(1) & 0x60).isEqualTo(0x60);
        assertThat(entry(2) & 0x60).isEqualTo(0x20);
        assertThat(walker.rights).isEqualTo(Rights.ALL);
    }

    @Test
    @DisplayName("T07 an entry that changes under the walk is read again, and nothing of the change is lost")
    void race() {
        flat.swallowed = 1;
        assertThat(walker.walk(STATE, GVA, Access.READ)).isTrue();
        assertThat(entry(4)).isEqualTo(0x2000 | P | W | U | 0x20 | 1 << 9);
    }

    @Test
    @DisplayName("T07 a walk that is refused sets no bit at any level")
    void refusedWalkChangesNothing() {
        entry(1, 0x50000 | P | U);
        assertThat(walker.walk(STATE, GVA, Access.WRITE | Access.USER)).isFalse();
        assertThat(entry(1)).isEqualTo(0x50000 | P | U);
        assertThat(entry(4)).isEqualTo(0x2000 | P | W | U);
    }

    @Test
    @DisplayName("S12 rights are what every level grants, by level for the tables and in all for the page")
    void combinedRights() {
        entry(3, 0x3000 | P | U);
        entry(2, 0x4000 | P | W);
        walker.walk(STATE, GVA, Access.READ);
        assertThat(walker.tableRights[3]).isEqualTo(Rights.ALL);
        assertThat(walker.tableRights[2]).isEqualTo(Rights.EXEC | Rights.USER);
        assertThat(walker.tableRights[1]).isEqualTo(Rights.EXEC);
        assertThat(walker.rights).isEqualTo(Rights.EXEC);
    }

    @Test
    @DisplayName("T04 the frame within a 2 MiB page comes from the address, and PAT in bit 12 is no part of it")
    void largePage() {
        entry(2, 0x4000_0000L | 1 << 12 | PS | P | W | U);
        assertThat(walker.walk(STATE, GVA, Access.READ)).isTrue();
        assertThat(walker.level).isEqualTo(2);
        assertThat(walker.gfn).isEqualTo(0x4_0003);
    }

    @Test
    @DisplayName("T08 error codes: not present, rights, reserved bits, fetch")
    void errorCodes() {
        entry(1, 0);
        assertThat(refused(Access.WRITE | Access.USER)).isEqualTo(PageFaultError.WRITE | PageFaultError.USER);
        entry(1, 0x50000 | P | W | U | 1L << 63);
        assertThat(refused(Access.FETCH | Access.USER)).isEqualTo(PageFaultError.PRESENT | PageFaultError.USER | PageFaultError.FETCH);
        entry(1, 0x50000 | P | W | 1L << 46);
        assertThat(refused(Access.READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.RESERVED);
        entry(1, 0x50000 | P | W | U);
        entry(4, 0x2000 | P | W | U | PS);
        assertThat(refused(Access.READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.RESERVED);
        entry(4, 0x2000 | P | W | U);
        entry(2, 0x4000_0000L | 1 << 13 | PS | P);
        assertThat(refused(Access.READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.RESERVED);
    }

    private int refused(int access) {
        assertThat(walker.walk(STATE, GVA, access)).isFalse();
        return walker.errorCode;
    }

    @Test
    @DisplayName("S18 a walk notices that an entry it used has changed since")
    void changed() {
        walker.walk(STATE, GVA, Access.READ);
        assertThat(walker.changed(1, GVA)).isFalse();
        entry(1, 0x51000 | P);
        assertThat(walker.changed(1, GVA)).isTrue();
        assertThat(walker.changed(2, GVA)).isFalse();
    }
}
