package org.penumbra.hardware.cache;

import java.util.Arrays;

/**
 * One set-associative cache of physical lines with least-recently-used replacement. The lines of a set stand in the order of
 * their last use, the most recently used first, empty ways last. Any number of sets and ways. One thread.
 */
final class CacheLevel {
    /** An empty way; as an answer: nothing had to go. */
    static final long EMPTY = -1;
    /** The line was cached. */
    static final long HIT = -2;

    /** Line numbers (hpa &gt;&gt; 6), set by set. */
    private final long[] lines;
    private final int sets;
    private final int ways;
    /** Sets − 1 if the number of sets is a power of two, else −1. */
    private final int mask;

    CacheLevel(int sets, int ways) {
        this.sets = sets;
        this.ways = ways;
        mask = Integer.bitCount(sets) == 1 ? sets - 1 : -1;
        lines = new long[sets * ways];
        Arrays.fill(lines, EMPTY);
    }

    /** Whether the lines belong to the same set. */
    boolean meet(long line, long other) {
        return first(line) == first(other);
    }

    /** Whether {@code line} is the one of its set that was used last but {@code depth}. */
    boolean isAt(long line, int depth) {
        return depth < ways && lines[first(line) + depth] == line;
    }

    /** Whether {@code line} is cached. */
    boolean holds(long line) {
        int first = first(line);
        for (int i = first; i < first + ways; i++) {
            if (lines[i] == line) {
                return true;
            }
        }
        return false;
    }

    /** Whether {@code line} is the most recently used of its set. */
    boolean isFirst(long line) {
        return lines[first(line)] == line;
    }

    /**
     * Makes {@code line} the most recently used of its set: {@link #HIT} if it was cached, else the line that had to go, or
     * {@link #EMPTY}.
     */
    long access(long line) {
        // every line moves back by one way until the place is reached that the wanted one leaves, or the end
        int first = first(line);
        int end = first + ways;
        long moving = line;
        for (int i = first; i < end; i++) {
            long here = lines[i];
            lines[i] = moving;
            if (here == line) {
                return HIT;
            }
            moving = here;
        }
        return moving;
    }

    /** Removes {@code line}; false if it was not there. */
    boolean remove(long line) {
        int first = first(line);
        int end = first + ways;
        for (int i = first; i < end; i++) {
            if (lines[i] == line) {
                System.arraycopy(lines, i + 1, lines, i, end - i - 1);
                lines[end - 1] = EMPTY;
                return true;
            }
        }
        return false;
    }

    private int first(long line) {
        return (mask >= 0 ? (int) line & mask : (int) (line % sets)) * ways;
    }
}
