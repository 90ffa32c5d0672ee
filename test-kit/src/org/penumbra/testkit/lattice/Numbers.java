package org.penumbra.testkit.lattice;

import java.util.SplittableRandom;
import org.penumbra.api.verify.VectorSelection;

/** The numbers of the vectors that a selection asks for, in rising order. */
final class Numbers {
    /** A sample consists of blocks of so many vectors, so that what one leaves in a cache is met by the next. */
    private static final int BLOCK = 64;

    private final long end;
    /** The mean distance of the first vectors of two blocks; {@link #BLOCK} if all vectors are run. */
    private final long gap;
    private final SplittableRandom random;
    private long left;
    private long next;
    private int within;

    /** @param size the number of vectors that there are */
    Numbers(VectorSelection selection, long size) {
        if (selection.first() >= size) {
            throw new IllegalArgumentException("vector " + selection.first() + " is asked for, and there are " + size + ", numbered from 0");
        }
        end = size;
        next = selection.first();
        long there = size - next;
        gap = selection.sample() == 0 ? BLOCK : Math.max(BLOCK, there / Math.max(1, selection.sample() / BLOCK));
        random = new SplittableRandom(selection.seed());
        left = selection.most();
        if (gap > BLOCK) {
            next += random.nextLong(gap);
        }
    }

    /** How many are left, at the mean distance. */
    long left() {
        return Math.min(left, gap == BLOCK ? end - next : Math.max(1, (end - next) / gap) * BLOCK);
    }

    /** The next number, −1 if there is none. */
    long peek() {
        return left > 0 && next < end ? next : -1;
    }

    /** Goes on to the number after {@link #peek}. */
    void advance() {
        left--;
        next++;
        if (gap > BLOCK && ++within == BLOCK) {
            within = 0;
            next += random.nextLong(2 * (gap - BLOCK));
        }
    }

    /** Leaves out everything before {@code number}; answers how many that were. */
    long skipTo(long number) {
        long skipped = 0;
        while (peek() >= 0 && peek() < number) {
            if (gap == BLOCK) {
                long n = Math.min(left, Math.min(number, end) - next);
                left -= n;
                next += n;
                skipped += n;
            } else {
                advance();
                skipped++;
            }
        }
        return skipped;
    }
}
