package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.clock.Work;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.kit.GuestFormat;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/** What becomes of large pages that were split because the guest executed in them. */
class NxHugePagesTest extends ShadowFixture {
    private static final long APART = 2 << 20;
    private static final int FETCH = Access.FETCH | Access.USER;
    private static final long PERIOD = 1_000_000;

    @BeforeEach
    void mitigated() {
        host = new FixtureHost(factory, 2).with(ShadowSettings.NX_HUGE_PAGES, "on").with(ShadowSettings.NX_RECOVERY, "" + PERIOD);
    }

    /** Large pages at GVA that are executed, in order. */
    private void execute(int count) {
        for (int i = 0; i < count; i++) {
            tables.map(GVA + i * APART, 512L * (i + 1), 2, P | W | U | A | D);
            assertThat(access(GVA + i * APART, FETCH)).isEqualTo(Resolution.RETRY);
        }
        assertThat(host.count("nx_lpage_splits")).isEqualTo(count);
    }

    private boolean large(long gva) {
        access(gva, USER_READ);
        return (spte(gva) & Spte.LARGE) != 0;
    }

    @Test
    @DisplayName("S23 after the period the oldest split is given up, one of 60, and data maps it whole again, not executable")
    void recovery() {
        start();
        execute(2);
        assertThat(large(GVA)).isFalse();
        host.clock().charge(Work.OPERATION, PERIOD);
        assertThat(large(GVA)).isTrue();
        assertThat(spte(GVA) & GuestFormat.NX).isNotZero();
        assertThat(large(GVA + APART)).as("the younger one").isFalse();
        assertThat(host.count("nx_lpage_splits")).isEqualTo(1);
        access(GVA, FETCH);
        assertThat(spte(GVA) & (Spte.LARGE | GuestFormat.NX)).as("executed again, split again").isZero();
        assertThat(host.count("nx_lpage_splits")).isEqualTo(2);
        host.clock().charge(Work.OPERATION, PERIOD);
        assertThat(large(GVA + APART)).isTrue();
    }

    @Test
    @DisplayName("S23 with a period of 0 a split stays")
    void never() {
        host.with(ShadowSettings.NX_RECOVERY, "0");
        start();
        execute(1);
        host.clock().charge(Work.OPERATION, 1L << 50);
        assertThat(large(GVA)).isFalse();
    }

    @Test
    @DisplayName("S23 S14 what the dirty log keeps small anyway is not taken down, only counted no longer")
    void logged() {
        start();
        execute(1);
        host.logging(true);
        host.clock().charge(Work.OPERATION, PERIOD);
        access(GVA + 0x5000, USER_READ);
        assertThat(spte(GVA)).as("still mapped").isNotZero();
        assertThat(host.count("nx_lpage_splits")).isZero();
        host.logging(false);
        mmu.stopDirtyLog(host.clock());
        assertThat(large(GVA)).isTrue();
    }

    @Test
    @DisplayName("S23 what the guest maps by 4 KiB is executable at once, and no split")
    void smallPages() {
        start();
        tables.map(GVA, 512, 1, P | W | U | A | D);
        access(GVA, FETCH);
        assertThat(spte(GVA) & GuestFormat.NX).isZero();
        assertThat(host.count("nx_lpage_splits")).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "soon", "", "1000000000000000000"})
    @DisplayName("S23 a period that is no number of cycles is refused with what would be right")
    void badPeriod(String value) {
        host.with(ShadowSettings.NX_RECOVERY, value);
        assertThatThrownBy(() -> factory.create(host)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("shadow.nx-recovery-period").hasMessageContaining("from 0 up");
        host = new FixtureHost(factory, 1);
        start();
    }

    @Test
    @DisplayName("S23 S19 the audit reports an executable 2 MiB spte")
    void audited() {
        start();
        tables.map(GVA, 512, 2, P | W | U | A | D);
        access(GVA, USER_READ);
        long sptep = mmu.tree.rmap.of(512, 2, host.clock()).get(0);
        long good = host.memory().load64(sptep);
        host.memory().store64(sptep, good & ~GuestFormat.NX);
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).singleElement().asString().contains("large and executable");
        host.memory().store64(sptep, good);
    }
}
