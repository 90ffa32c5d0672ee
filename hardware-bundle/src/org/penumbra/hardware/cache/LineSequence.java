package org.penumbra.hardware.cache;

/**
 * Entries that are read one after the other, again and again, and where their lines stand in the L1 of {@link DataCaches} after
 * that. One thread.
 */
public final class LineSequence {
    /** The line of each entry. */
    final long[] line;
    int count;
    /** The same without repetition, in the order of last use. */
    final long[] distinct;
    /** By the number of such a line: its place in the order of last use of its own set, 0 the most recently used. */
    final int[] depth;
    int distinctCount;

    /** Room for {@code most} entries. */
    public LineSequence(int most) {
        line = new long[most];
        distinct = new long[most];
        depth = new int[most];
    }

    /** Appends a line; {@code cache} says which lines meet in one set. */
    void append(long wanted, CacheLevel cache) {
        int left = Integer.MAX_VALUE;
        int kept = 0;
        for (int i = 0; i < distinctCount; i++) {
            if (distinct[i] == wanted) {
                left = depth[i];
            } else {
                distinct[kept] = distinct[i];
                depth[kept] = depth[i];
                kept++;
            }
        }
        for (int i = 0; i < kept; i++) {
            if (depth[i] < left && cache.meet(distinct[i], wanted)) {
                depth[i]++;
            }
        }
        distinct[kept] = wanted;
        depth[kept] = 0;
        distinctCount = kept + 1;
        line[count++] = wanted;
    }

    /** Forgets them all. */
    public void clear() {
        count = 0;
        distinctCount = 0;
    }
}
