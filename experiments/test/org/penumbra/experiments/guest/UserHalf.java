package org.penumbra.experiments.guest;

import org.penumbra.api.paging.PagingMode;

/** Addresses of processes, for tests that run in every paging mode. */
final class UserHalf {
    private UserHalf() {}

    /** A user address that is a multiple of 64 MiB and has its highest bits set, as far as {@code mode} lets a process have them. */
    static long high(PagingMode mode) {
        switch (mode) {
            case FIVE_LEVEL:
                return 0x7f_0000_0000_0000L;
            case FOUR_LEVEL:
                return 0x7f00_0000_0000L;
            default:
                return 0xb000_0000L;
        }
    }
}
