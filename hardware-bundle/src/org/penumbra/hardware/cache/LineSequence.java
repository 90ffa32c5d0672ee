package org.penumbra.hardware.cache;

/**
 * Up to four entries that are read one after the other, again and again, and where their lines stand in the L1 of {@link DataCaches} after
 * that. One thread.
 */
public final class LineSequence {
    private static final int MOST = 4;

    final long[] line = new long[MOST];
    /** Places in the order of last use of each line's own set, 0 the most recently used. */
    final int[] depth = new int[MOST];
    int count;

    /** Appends a line; {@code cache} says which lines meet in one set. */
    void append(long wanted, CacheLevel cache) {
        int left = MOST;
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
