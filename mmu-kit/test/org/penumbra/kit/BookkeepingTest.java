package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

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
    @DisplayName("S03 a role keeps its parts apart, and none reaches the gfn in a key")
    void role() {
        int mode = Role.mode(PagingState.longMode(0));
        int role = Role.of(5, Rights.ALL, mode, 3);
        assertThat(Role.level(role)).isEqualTo(5);
        assertThat(Role.isDirect(role)).isFalse();
        assertThat(Role.rights(role)).isEqualTo(Rights.ALL);
        assertThat(Role.mode(role)).isEqualTo(mode);
        assertThat(Role.quadrant(role)).isEqualTo(3);
        assertThat(Role.format(role)).isEqualTo(GuestFormat.FOUR_LEVEL);
        assertThat(Role.key(1, 0)).isGreaterThan(role);
        int direct = Role.direct(5, Rights.ALL, 0);
        assertThat(Role.isDirect(direct)).isTrue();
        assertThat(Role.level(direct)).isEqualTo(5);
        assertThat(Role.rights(direct)).isEqualTo(Rights.ALL);
    }

    @Test
    @DisplayName("S03 mode bits: NXE, WP, and SMEP and SMAP only while WP is 0; none without paging")
    void mode() {
        PagingState wp = PagingState.longMode(0);
        PagingState noWp = wp.withCr0(wp.cr0() & ~ControlBits.CR0_WP);
        long both = wp.cr4() | ControlBits.CR4_SMEP | ControlBits.CR4_SMAP;
        assertThat(Role.mode(wp.withCr4(both))).isEqualTo(Role.mode(wp));
        assertThat(Role.mode(noWp.withCr4(both)) ^ Role.mode(noWp)).isEqualTo(Role.SMEP_ANDNOT_WP | Role.SMAP_ANDNOT_WP);
        assertThat(Role.mode(wp) ^ Role.mode(noWp)).isEqualTo(Role.CR0_WP);
        assertThat(Role.mode(wp) ^ Role.mode(wp.withEfer(wp.efer() & ~ControlBits.EFER_NXE))).isEqualTo(Role.EFER_NX);
        assertThat(Role.mode(wp.withCr0(ControlBits.CR0_PE).withCr4(both))).isZero();
    }

    @ParameterizedTest(name = "level {0} quadrant {1}: spte {2} from byte {3}")
    @DisplayName("S04 a table of 4-byte entries takes two leaf pages, a directory four, with two sptes for an entry")
    @CsvSource({
        // level, quadrant, spte, byte offset of the gpte, first spte of that gpte
        "1, 0, 5,   20,   5",
        "1, 1, 5,   2068, 5",
        "1, 1, 511, 4092, 511",
        "2, 0, 0,   0,    0",
        "2, 0, 1,   0,    0",
        "2, 3, 511, 4092, 510",
        "2, 1, 4,   1032, 4",
    })
    void quadrants(int level, int quadrant, int spte, int offset, int first) {
        int mode = GuestFormat.BITS_32_PSE.ordinal() << 12;
        ShadowPage page = new ShadowPage(7, Role.of(level, Rights.ALL, mode, quadrant), 0x1000, 0);
        assertThat(page.gpteGpa(spte)).isEqualTo(0x7000 + offset);
        assertThat(page.sptesOf(offset)).isEqualTo(first);
        assertThat(page.sptesPerGpte()).isEqualTo(level);
        ShadowPage other = new ShadowPage(7, Role.of(level, Rights.ALL, mode, quadrant ^ 1), 0x1000, 0);
        assertThat(other.sptesOf(offset)).isEqualTo(-1);
    }

    @Test
    @DisplayName("S08 the unsync bitmap counts each child once")
    void unsyncBitmap() {
        ShadowPage page = new ShadowPage(1, Role.of(2, Rights.ALL, 0, 0), 0x1000, 0);
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
