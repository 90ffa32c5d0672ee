package org.penumbra.hardware.cache;

import java.util.Arrays;

/**
 * One set-associative cache of physical lines with least-recently-used replacement. The lines of a set stand in the order of
 * their last use, the most recently used first, empty ways (-1) last. Any number of sets and ways. One thread.
 */
final class CacheLevel {
    private static final long EMPTY = -1;

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

    /** Whether {@code line} is the most recently used of its set. */
    boolean isFirst(long line) {
        return lines[first(line)] == line;
    }

    /** Whether {@code line} is cached; it is now the most recently used of its set. */
    boolean touch(long line) {
        int first = first(line);
        for (int i = first, end = first + ways; i < end; i++) {
            if (lines[i] == line) {
                System.arraycopy(lines, first, lines, first + 1, i - first);
                lines[first] = line;
                return true;
            }
        }
        return false;
    }

    /** Caches {@code line}, which is not cached yet; answers the line that had to go, or a negative number. */
    long insert(long line) {
        int first = first(line);
        long victim = lines[first + ways - 1];
        System.arraycopy(lines, first, lines, first + 1, ways - 1);
        lines[first] = line;
        return victim;
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
