package org.penumbra.experiments.workload;

import java.util.Arrays;

/**
 * Recorded addresses in an address space that does not hold them: each {@link #REGION} of 4 MiB that a trace touches gets the next
 * 4 MiB from address 0 on, in the order of first touch. What shared a page or a table of pages still does, what did not does not;
 * only how regions lie to one another is lost.
 */
final class RegionFold {
    /** Bytes that stay together: what one table of 32-bit paging maps. */
    static final long REGION = 4 << 20;

    private static final int RECENT = 4;

    /** Regions by their number, ascending, and what has become of each. */
    private long[] region = new long[16];
    private long[] folded = new long[16];
    private int count;
    /** Found last; programs alternate between few regions. */
    private final int[] recent = new int[RECENT];
    private int oldest;

    /** Regions so far. */
    int count() {
        return count;
    }

    /** Of an access of {@code bytes} at {@code gva}: those in its first region. */
    static int inFirst(long gva, int bytes) {
        return (int) Math.min(bytes, REGION - (gva & REGION - 1));
    }

    /**
     * Gives a place to a region that an access of {@code bytes} at {@code gva} touches and that has none.
     *
     * @return where that region begins now; -1 if each has a place
     */
    long addMissing(long gva, int bytes) {
        if (find(gva / REGION) < 0) {
            return add(gva / REGION);
        }
        long last = (gva + bytes - 1) / REGION;
        return find(last) < 0 ? add(last) : -1;
    }

    /** Where {@code gva}, whose region has a place, is now. */
    long fold(long gva) {
        return folded[find(gva / REGION)] + (gva & REGION - 1);
    }

    private int find(long wanted) {
        for (int i : recent) {
            if (i < count && region[i] == wanted) {
                return i;
            }
        }
        int i = Arrays.binarySearch(region, 0, count, wanted);
        if (i >= 0) {
            recent[oldest] = i;
            oldest = (oldest + 1) % RECENT;
        }
        return i;
    }

    private long add(long wanted) {
        if (count == region.length) {
            region = Arrays.copyOf(region, 2 * count);
            folded = Arrays.copyOf(folded, 2 * count);
        }
        int i = -Arrays.binarySearch(region, 0, count, wanted) - 1;
        System.arraycopy(region, i, region, i + 1, count - i);
        System.arraycopy(folded, i, folded, i + 1, count - i);
        region[i] = wanted;
        folded[i] = count * REGION;
        return REGION * count++;
    }
}
