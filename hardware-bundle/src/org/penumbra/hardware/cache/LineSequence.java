package org.penumbra.hardware.cache;

/**
 * Entries that are read one after the other, again and again, and where their lines stand in the L1 of {@link DataCaches} after
 * that. One thread.
 */
public final class LineSequence {
    final long[] line;
    /** Places in the order of last use of each line's own set, 0 the most recently used. */
    final int[] depth;
    int count;

    /** Room for {@code most} entries. */
    public LineSequence(int most) {
        line = new long[most];
        depth = new int[most];
    }

    /** Appends a line; {@code cache} says which lines meet in one set. */
    void append(long wanted, CacheLevel cache) {
        int left = Integer.MAX_VALUE;
        for (int i = 0; i < count; i++) {
            left = line[i] == wanted ? depth[i] : left;
        }
        for (int i = 0; i < count; i++) {
            if (line[i] == wanted) {
                depth[i] = 0;
            } else if (cache.meet(line[i], wanted) && depth[i] < left) {
                depth[i]++;
            }
        }
        line[count] = wanted;
        depth[count] = 0;
        count++;
    }

    /** Forgets them all. */
    public void clear() {
        count = 0;
    }
}
