package org.penumbra.hardware.tlb;

import java.util.Arrays;
import org.penumbra.api.cpu.FirstLevelTlb;

/**
 * Which guest pages may be cached in smaller pieces, so that an invalidation looks for pieces only where there can be some: a bit per
 * page, chosen by a hash of its number. A bit that is 0 means that no piece of such a page is cached; pages that share a bit, and
 * pieces that are gone by now, cost a search that finds nothing. One thread.
 */
final class Pieces {
    private static final int INDEX_BITS = 12;
    /** 2^64 divided by the golden ratio. */
    private static final long MIX = 0x9e37_79b9_7f4a_7c15L;

    private final long[] bits = new long[1 << INDEX_BITS - 6];
    private boolean some;

    /** Notes that a piece of the guest's page of 2^{@code shift} bytes (2 MiB, 4 MiB or 1 GiB) around {@code gva} is cached. */
    void note(long gva, int shift) {
        some = true;
        int i = index(gva, shift);
        bits[i >>> 6] |= 1L << i;
    }

    /** True if pieces of a page around {@code gva} may be cached. */
    boolean mayHold(long gva) {
        return some && (isNoted(gva, 21) || isNoted(gva, 22) || isNoted(gva, 30));
    }

    /** Notes that no piece of any page is cached. */
    void clear() {
        if (some) {
            Arrays.fill(bits, 0);
            some = false;
        }
    }

    private boolean isNoted(long gva, int shift) {
        int i = index(gva, shift);
        return (bits[i >>> 6] >>> i & 1) != 0;
    }

    private static int index(long gva, int shift) {
        return (int) ((FirstLevelTlb.page(gva, shift) << 6 | shift) * MIX >>> 64 - INDEX_BITS);
    }
}
