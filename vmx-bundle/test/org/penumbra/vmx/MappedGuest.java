package org.penumbra.vmx;

import org.penumbra.api.machine.GuestBoot;

/** The tables of a guest that sees its memory at the linear addresses that are its guest-physical ones, in pages of 2 MiB below 1 GiB. */
final class MappedGuest {
    /** P, R/W, A, D and PS. */
    private static final long PAGE = 1 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7;
    private static final long TABLE = 1 | 1 << 1 | 1 << 5;

    private MappedGuest() {}

    /** Tables at 0x1000 to 0x3fff, with linear address 0 at {@code offset}, a multiple of 2 MiB. */
    static void image(GuestBoot.Loader loader, long base, long offset) {
        loader.store64(base + 0x1000, 0x2000 | TABLE);
        loader.store64(base + 0x2000, 0x3000 | TABLE);
        for (int i = 0; i < 512; i++) {
            loader.store64(base + 0x3000 + 8L * i, (((long) i << 21) + offset) % (1L << 30) | PAGE);
        }
    }
}
