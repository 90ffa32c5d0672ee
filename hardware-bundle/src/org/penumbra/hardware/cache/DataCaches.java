package org.penumbra.hardware.cache;

import org.penumbra.api.clock.CostProfile;

/**
 * The data caches under the page walker of one logical processor: which level holds the paging-structure entry that a walk reads.
 *
 * <pre>
 *  figure                   what it says
 *  data-cache.model         1: walk references are priced by the level that serves them; 0: all alike, this model is off
 *  data-cache.l1, .l2,      bytes and ways of a level, in lines of 64 bytes
 *    .llc
 *  data-cache.llc.victim    0: what memory delivers is put into every level, and a line that leaves the LLC leaves the others;
 *                           1: the LLC takes what leaves the L2, and a line that hits there moves out of it
 * </pre>
 *
 * The L1 and the L2 hold lines independently of each other. Every level replaces its least recently used line. References of
 * walks alone fill the caches: the program's own data does not compete for them. One thread.
 */
public final class DataCaches {
    /** Answers of {@link #reference}, the nearest level first. */
    public static final int L1 = 1;
    public static final int L2 = 2;
    public static final int LLC = 3;
    public static final int MEMORY = 4;

    private static final int LINE_SHIFT = 6;

    private final CacheLevel l1;
    private final CacheLevel l2;
    private final CacheLevel llc;
    private final boolean victim;

    private DataCaches(CostProfile profile) {
        l1 = level(profile, "data-cache.l1");
        l2 = level(profile, "data-cache.l2");
        llc = level(profile, "data-cache.llc");
        victim = profile.figure("data-cache.llc.victim") != 0;
    }

    /** Empty caches of the geometry of {@code profile}; null if it switches the model off, or that of TLBs. */
    public static DataCaches of(CostProfile profile) {
        return profile.figure("data-cache.model") == 0 || !profile.modelsTlbs() ? null : new DataCaches(profile);
    }

    private static CacheLevel level(CostProfile profile, String name) {
        int ways = (int) profile.figure(name + ".ways");
        long lines = profile.figure(name + ".bytes") >>> LINE_SHIFT;
        return new CacheLevel((int) (lines / ways), ways);
    }

    /**
     * Reads 8 bytes at {@code hpa}: the level that had the line, {@link #L1} to {@link #MEMORY}. Afterwards the line is the most
     * recently used one of its set in the L1.
     */
    public int reference(long hpa) {
        long line = hpa >>> LINE_SHIFT;
        return l1.isFirst(line) || l1.access(line) == CacheLevel.HIT ? L1 : beyondL1(line);
    }

    /** Appends the entry at {@code hpa} to those of {@code sequence}. */
    public void append(LineSequence sequence, long hpa) {
        sequence.append(hpa >>> LINE_SHIFT, l1);
    }

    /** Reads all of {@code sequence}, as {@link #reference} does one after the other, and counts in {@code served} what serves each. */
    public void reference(LineSequence sequence, long[] served) {
        if (inL1(sequence)) {
            served[L1] += sequence.count;
            return;
        }
        for (int i = 0; i < sequence.count; i++) {
            served[reference(sequence.line[i] << LINE_SHIFT)]++;
        }
    }

    /**
     * Reads all of {@code sequence} if the L1 has each line; else false, and nothing is done. Where nothing has to go, all that reading leaves
     * behind is the order of last use, and not even that changes while the lines are the most recently used ones of their sets, in the right order.
     */
    private boolean inL1(LineSequence sequence) {
        boolean settled = true;
        int lines = sequence.distinctCount;
        for (int i = 0; i < lines; i++) {
            if (!l1.isAt(sequence.distinct[i], sequence.depth[i])) {
                if (!l1.holds(sequence.distinct[i])) {
                    return false;
                }
                settled = false;
            }
        }
        for (int i = settled ? lines : 0; i < lines; i++) {
            l1.access(sequence.distinct[i]);
        }
        return true;
    }

    private int beyondL1(long line) {
        long left = l2.access(line);
        if (left == CacheLevel.HIT) {
            return L2;
        }
        return victim ? fromVictims(line, left) : fromInclusive(line);
    }

    private int fromVictims(long line, long leftL2) {
        boolean hit = llc.remove(line);
        if (leftL2 != CacheLevel.EMPTY) {
            llc.access(leftL2);
        }
        return hit ? LLC : MEMORY;
    }

    private int fromInclusive(long line) {
        long left = llc.access(line);
        if (left == CacheLevel.HIT) {
            return LLC;
        }
        if (left != CacheLevel.EMPTY) {
            l2.remove(left);
            l1.remove(left);
        }
        return MEMORY;
    }
}
