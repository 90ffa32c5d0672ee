package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The small structures against obvious models. */
class BookkeepingTest {
    @Test
    @DisplayName("S10 counts cost nothing at zero and refuse to go below")
    void counts() {
        GfnCounts counts = new GfnCounts();
        counts.add(7, 1);
        counts.add(7, 1);
        assertThat(counts.get(7)).isEqualTo(2);
        counts.add(7, -2);
        assertThat(counts.get(7)).isZero();
        assertThatThrownBy(() -> counts.add(7, -1)).hasMessageContaining("gfn 0x7");
    }

    @Test
    @DisplayName("S03 a role keeps level, direct, rights and mode apart, and none reaches the gfn in a key")
    void role() {
        int role = Role.of(4, true, Rights.ALL, Role.EFER_NX);
        assertThat(Role.level(role)).isEqualTo(4);
        assertThat(Role.direct(role)).isTrue();
        assertThat(Role.rights(role)).isEqualTo(Rights.ALL);
        assertThat(Role.mode(role)).isEqualTo(Role.EFER_NX);
        assertThat(Role.key(1, 0)).isGreaterThan(role);
        assertThat(Role.of(4, false, Rights.ALL, 0)).isNotEqualTo(Role.of(4, true, Rights.ALL, 0));
    }

    @Test
    @DisplayName("S08 the unsync bitmap counts each child once")
    void unsyncBitmap() {
        ShadowPage page = new ShadowPage(1, Role.of(2, false, Rights.ALL, 0), 0x1000);
        assertThat(page.markUnsyncChild(63)).isTrue();
        assertThat(page.markUnsyncChild(64)).isTrue();
        assertThat(page.markUnsyncChild(63)).isFalse();
        assertThat(page.unsyncChildren).isEqualTo(2);
        page.clearUnsyncChild(63);
        page.clearUnsyncChild(63);
        assertThat(page.unsyncChildren).isEqualTo(1);
        assertThat(page.isUnsyncChild(64)).isTrue();
    }
}
