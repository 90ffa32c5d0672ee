package org.penumbra.testkit.lattice;

import java.util.SplittableRandom;
import org.penumbra.api.verify.VectorSelection;

/** The numbers of the vectors that a selection asks for, in rising order. */
final class Numbers {
    private final long end;
    private final long gap;
    private final SplittableRandom random;
    private long left;
    private long next;

    /** @param size the number of vectors that there are */
    Numbers(VectorSelection selection, long size) {
        if (selection.first() >= size) {
            throw new IllegalArgumentException("vector " + selection.first() + " is asked for, and there are " + size + ", numbered from 0");
        }
        end = size;
        next = selection.first();
        long there = size - next;
        gap = selection.sample() == 0 ? 1 : Math.max(1, there / selection.sample());
        random = new SplittableRandom(selection.seed());
        left = selection.most();
        if (gap > 1) {
            next += random.nextLong(gap);
        }
    }

    /** How many are left, at the mean distance. */
    long left() {
        return Math.min(left, (end - next + gap - 1) / gap);
    }

    /** The next number, −1 if there is none. */
    long peek() {
        return left > 0 && next < end ? next : -1;
    }

    /** Goes on to the number after {@link #peek}. */
    void advance() {
        left--;
        next += gap == 1 ? 1 : 1 + random.nextLong(2 * gap - 1);
    }

    /** Leaves out everything before {@code number}; answers how many that were. */
    long skipTo(long number) {
        long skipped = 0;
        while (peek() >= 0 && peek() < number) {
            if (gap == 1) {
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
