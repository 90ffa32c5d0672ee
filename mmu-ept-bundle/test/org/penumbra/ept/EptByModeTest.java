package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;

/** Mode-based execute control: SDM vol. 3, "EPT Violations", and table "Exit Qualification for EPT Violations", bit 9. */
class EptByModeTest extends TdpFixture {
    private static final long X = 1 << 2;
    private static final long XU = 1 << 10;
    private static final long USER = EptViolation.FETCH | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS | EptViolation.LINEAR_USER;
    private static final long SUPERVISOR = USER & ~EptViolation.LINEAR_USER;

    @Override
    TdpFormat format() {
        return TdpFormat.EPT;
    }

    private void on(int level) {
        host = host(level, TdpSettings.MODE_BASED_EXECUTE, "on");
        start();
    }

    @ParameterizedTest(name = "host pages of level {0}")
    @ValueSource(ints = {1, 2})
    @DisplayName("E13 a page is executable for the mode that has fetched from it, and for no other; tables let both through")
    void byMode(int level) {
        on(level);
        assertThat(((TranslationRoot.TwoDimensional) context.root()).features().modeBasedExecute()).isTrue();
        assertThat(violate(0x20_5000, EptViolation.READ)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x20_5000) & (X | XU)).isZero();
        assertThat(violate(0x20_5000, USER)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x20_5000) & (X | XU)).isEqualTo(XU);
        assertThat(violate(0x20_5000, SUPERVISOR)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x20_5000) & (X | XU)).isEqualTo(X | XU);
        assertThat(violate(0x60_0000, SUPERVISOR)).isEqualTo(Resolution.RETRY);
        assertThat(leaf(0x60_0000) & (X | XU)).isEqualTo(X);
        long table = host.memory().load64(((TranslationRoot.TwoDimensional) context.root()).eptp() & TdpFormat.ADDRESS);
        assertThat(table & (X | XU)).isEqualTo(X | XU);
    }

    @Test
    @DisplayName("E13 E06 what may be executed stays so when a page becomes writable, and when a large one is split for the dirty log")
    void kept() {
        on(2);
        host.share(0x205);
        violate(0x20_5000, USER);
        violate(0x20_5000, EptViolation.WRITE);
        assertThat(TdpFormat.writable(leaf(0x20_5000))).isTrue();
        assertThat(leaf(0x20_5000) & (X | XU)).isEqualTo(XU);
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        assertThat(leaf(0x20_5000) & TdpFormat.LARGE).isZero();
        assertThat(leaf(0x20_6000) & (X | XU)).isEqualTo(XU);
    }

    @Test
    @DisplayName("E13 off, the user bit of a fetch makes no difference")
    void off() {
        start();
        violate(0x20_5000, EptViolation.READ);
        assertThat(leaf(0x20_5000) & (X | XU)).isEqualTo(X);
        assertThat(((TranslationRoot.TwoDimensional) context.root()).features().modeBasedExecute()).isFalse();
    }

    @Test
    @DisplayName("E13 mode-based execute control and NX huge pages are refused together")
    void notWithNxHugePages() {
        host = host(1, TdpSettings.MODE_BASED_EXECUTE, "on").with(TdpSettings.key(TdpFormat.EPT, TdpSettings.NX_HUGE_PAGES), "on");
        FixtureHost both = host;
        assertThatThrownBy(this::start).isInstanceOf(IllegalArgumentException.class).hasMessage("ept.mode-based-execute: on needs ept.nx-huge-pages: off");
        host = both.with(TdpSettings.key(TdpFormat.EPT, TdpSettings.NX_HUGE_PAGES), "off");
        start();
    }
}
