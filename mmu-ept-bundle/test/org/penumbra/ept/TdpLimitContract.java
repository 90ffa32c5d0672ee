package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.memory.LeaseException;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.EptViolation;

/** How many tables there are at most, and what becomes of those that are given up, in whatever format(). */
abstract class TdpLimitContract extends TdpFixture {
    private static final long APART = 2 << 20;
    private static final long FIRST = 1L << 32;

    private void limited(String limit) {
        host = host(1, TdpSettings.PAGE_LIMIT, limit);
        host.slot(1L << 32, 0);
        start();
    }

    /** One page each under {@code count} tables of 4 KiB leaves. */
    private void use(int count, long apart) {
        for (int i = 0; i < count; i++) {
            assertThat(violate(FIRST + i * apart, EptViolation.WRITE)).isEqualTo(Resolution.RETRY);
        }
    }

    private void set(long at, long bits) {
        host.memory().store64(at, host.memory().load64(at) | bits);
    }

    @Test
    @DisplayName("E09 above the page limit the oldest tables go, flushed, and what they mapped comes back with the next violation")
    void limit() {
        limited("64");
        use(40, APART);
        assertThat(host.count("mmu_recycled")).isZero();
        host.takeFlushes();
        use(300, APART);
        assertThat(host.count("mmu_recycled")).isPositive();
        assertThat(host.takeFlushes()).isPositive();
        assertThat(host.frames()).as("the root is counted out").isLessThanOrEqualTo(65);
        assertThat(leaf(FIRST + 299 * APART)).as("the newest").isNotZero();
        assertThat(leaf(FIRST)).as("the oldest").isZero();
        assertThat(host.count("pages_4k")).isLessThanOrEqualTo(64);
        use(1, APART);
        assertThat(leaf(FIRST)).isNotZero();
    }

    @Test
    @DisplayName("E09 a table that the processor has used since it was looked at last outlives those that it has not")
    void recentlyUsed() {
        limited("64");
        use(50, APART);
        int rounds = 250;
        for (int i = 50; i < rounds; i++) {
            set(tableAt(FIRST), format().accessed);
            assertThat(violate(FIRST + i * APART, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        }
        assertThat(host.count("mmu_recycled")).isPositive();
        assertThat(leaf(FIRST)).as("in use all the time").isNotZero();
        assertThat(leaf(FIRST + APART)).isZero();
    }

    @Test
    @DisplayName("E09 upper tables go with the last that is below them")
    void upperTables() {
        limited("64");
        use(300, 1L << 30);
        assertThat(host.frames()).isLessThanOrEqualTo(65);
    }

    @Test
    @DisplayName("E09 E06 what only a table that goes knew of writes is in the dirty log")
    void dirtyFlags() {
        limited("64");
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        for (int i = 0; i < 200; i++) {
            violate(FIRST + i * APART, EptViolation.WRITE);
            set(leafAt(FIRST + i * APART), format().dirty);
        }
        ((DirtyLogging) mmu).collectDirty(host.clock());
        Set<Long> expected = new TreeSet<>();
        for (int i = 0; i < 200; i++) {
            expected.add(FIRST + i * APART >>> 12);
        }
        assertThat(host.takeDirty()).containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    @DisplayName("E09 without a limit tables are recycled where host memory is exhausted, if that is not switched off")
    void pressure() {
        limited("none");
        host.leaseLimit(40);
        for (int i = 0; i < 200; i++) {
            long gpa = FIRST + i * APART;
            for (int attempt = 0; leaf(gpa) == 0 && attempt < 3; attempt++) {
                assertThat(violate(gpa, EptViolation.READ)).isEqualTo(Resolution.RETRY);
            }
            assertThat(leaf(gpa)).isNotZero();
        }
        assertThat(host.count("mmu_recycled")).isPositive();
        mmu.close();
        host = host(1, TdpSettings.RECLAIM, "off");
        host.slot(1L << 32, 0);
        start();
        host.leaseLimit(40);
        assertThatThrownBy(() -> use(200, APART)).isInstanceOf(LeaseException.class);
    }

    @Test
    @DisplayName("E09 there is no limit by default")
    void byDefault() {
        limited("none");
        use(200, APART);
        assertThat(host.count("mmu_recycled")).isZero();
        assertThat(leaf(FIRST)).isNotZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"63", "many", "-1", ""})
    @DisplayName("E09 a page limit is a number from 64 up")
    void refused(String limit) {
        host = host(1, TdpSettings.PAGE_LIMIT, limit);
        assertThatThrownBy(this::start).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("%s: '%s' is neither 'none' nor a number from 64 up", TdpSettings.key(format(), TdpSettings.PAGE_LIMIT), limit);
        host = null;
        start();
    }
}
