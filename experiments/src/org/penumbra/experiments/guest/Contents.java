package org.penumbra.experiments.guest;

/** What the pages of a mapping hold when they are touched for the first time. */
public enum Contents {
    /** Zeroes: anonymous memory. */
    ZERO,
    /** A value that depends on the page's address, in each 8 bytes: stands for a file that is read in. */
    FILE;

    long word(long gva) {
        return this == ZERO ? 0 : mix(gva >>> 12);
    }

    /** The finaliser of SplitMix64. */
    static long mix(long z) {
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }
}
