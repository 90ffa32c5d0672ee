package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

/** SDM vol. 3, "Determination of Access Rights", sentence by sentence. */
class RightsTest {
    @ParameterizedTest(name = "{0} page, {1}, {2}: {3}")
    @DisplayName("T06 rights of user and supervisor pages under WP, SMEP, SMAP and AC")
    @CsvSource({
        // rights, access, controls, allowed
        "UX,  user read,            WP,            true",
        "UX,  user write,           WP,            false",
        "UWX, user write,           WP,            true",
        "WX,  user read,            WP,            false",
        "U,   user fetch,           WP,            false",
        "UX,  user fetch,           WP,            true",
        "X,   supervisor write,     WP,            false",
        "X,   supervisor write,     -,             true",
        "WX,  supervisor write,     WP,            true",
        "UWX, supervisor read,      WP,            true",
        "UWX, supervisor read,      WP SMAP,       false",
        "UWX, supervisor read (AC), WP SMAP,       true",
        "UWX, supervisor write,     WP SMAP,       false",
        "UX,  supervisor write (AC),- SMAP,        true",
        "UX,  supervisor write (AC),WP SMAP,       false",
        "WX,  supervisor read,      WP SMAP,       true",
        "UX,  supervisor fetch,     WP,            true",
        "UX,  supervisor fetch,     WP SMEP,       false",
        "X,   supervisor fetch,     WP SMEP SMAP,  true",
        "W,   supervisor fetch,     WP,            false",
    })
    void allowed(String rights, String access, String controls, boolean allowed) {
        int granted = (rights.contains("U") ? Rights.USER : 0) | (rights.contains("W") ? Rights.WRITE : 0) | (rights.contains("X") ? Rights.EXEC : 0);
        PagingState state = PagingState.longMode(0);
        state = controls.contains("WP") ? state : state.withCr0(state.cr0() & ~ControlBits.CR0_WP);
        state = state.withCr4(state.cr4()
                | (controls.contains("SMEP") ? ControlBits.CR4_SMEP : 0)
                | (controls.contains("SMAP") ? ControlBits.CR4_SMAP : 0));
        assertThat(Rights.allow(granted, kind(access), state)).isEqualTo(allowed);
    }

    private static int kind(String text) {
        for (int kind = 0; kind < Access.KINDS; kind++) {
            if (Access.describe(kind).equals(text)) {
                return kind;
            }
        }
        throw new IllegalArgumentException(text);
    }
}
