package org.penumbra.experiments.workload;

/** Values that look random and depend on a number alone. */
final class Mix {
    private static final long GOLDEN_GAMMA = 0x9e37_79b9_7f4a_7c15L;

    private Mix() {}

    /** The {@code n}-th output of the SplitMix64 generator with seed 0 (Steele, Lea, Flood 2014). */
    static long of(long n) {
        long z = n * GOLDEN_GAMMA;
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }
}
