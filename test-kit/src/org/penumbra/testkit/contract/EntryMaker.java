package org.penumbra.testkit.contract;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.SplittableRandom;
import org.penumbra.api.paging.PagingMode;

/** Makes paging-structure entries at random, mostly such that walks go on, with rights that differ from one to the next. */
final class EntryMaker {
    /** Bits 62:59 of a leaf: the protection key. Elsewhere they are ignored. */
    private static final int KEY = 59;

    private final GuestLayout layout;
    private final SplittableRandom random;
    private final int[] preferred;

    /** @param preferred by frame of the pool: the level at which it mostly serves as a table */
    EntryMaker(GuestLayout layout, SplittableRandom random, int[] preferred) {
        this.layout = layout;
        this.random = random;
        this.preferred = preferred;
    }

    /** An entry for a table at {@code level}. */
    long entry(int level) {
        int kind = random.nextInt(100);
        if (kind < 8) {
            return 0;
        }
        long entry = target(level) | P | rights();
        // The checker takes an invalidation of any address in a large page that is gone for one of all of it; an address space that never
        // had the page cannot mean that.
        entry &= (entry & PS) != 0 ? ~G : -1L;
        // SDM vol. 3, "Non-Present": with P = 0 every other bit is software's.
        return kind < 14 ? entry & ~P : kind < 17 ? reserved(entry) : entry;
    }

    /** What {@code entry} may become when only rights change. */
    long otherRights(long entry) {
        return entry & ~(RW | US | (layout.entryBytes == 8 ? XD : 0) | (layout.mode.isLong() ? 15L << KEY : 0)) | rights() & ~(A | D | G);
    }

    /** A PDPTE of PAE paging: no rights, and most other bits reserved. */
    long pdpte() {
        return random.nextInt(5) == 0 ? 0 : frame(2) | P;
    }

    /** What a guest stores as data where tables may be: nothing that an entry could not be. */
    long datum() {
        return switch (random.nextInt(4)) {
            case 0 -> 0;
            case 1 -> 2L * random.nextInt(0x40);
            default -> entry(1 + random.nextInt(Math.max(1, layout.levels)));
        };
    }

    private long target(int level) {
        if (level == 1) {
            return random.nextInt(3) == 0 ? pick(layout.pool) : pick(layout.pages);
        }
        if (level == 2 && random.nextInt(10) < 3) {
            return layout.region(random.nextInt(GuestLayout.REGIONS)) | PS;
        }
        if (level == 3 && layout.mode.isLong() && random.nextInt(10) == 0) {
            return PS;
        }
        return random.nextInt(6) == 0 ? pick(layout.pool) : frame(level - 1);
    }

    /** A frame of the pool that mostly serves at {@code level}, or any if there is none. */
    private long frame(int level) {
        int from = random.nextInt(preferred.length);
        for (int i = 0; i < preferred.length; i++) {
            int n = (from + i) % preferred.length;
            if (preferred[n] == level) {
                return layout.pool[n];
            }
        }
        return layout.pool[from];
    }

    private long rights() {
        long bits = (random.nextInt(5) == 0 ? 0 : RW) | (random.nextInt(7) == 0 ? 0 : US) | (random.nextInt(2) == 0 ? 0 : A)
                | (random.nextInt(2) == 0 ? 0 : D) | (random.nextInt(12) == 0 ? G : 0);
        bits |= layout.mode.isLong() && random.nextInt(4) == 0 ? (long) (1 + random.nextInt(3)) << KEY : 0;
        return bits | (layout.entryBytes == 8 && random.nextInt(8) == 0 ? XD : 0);
    }

    private long reserved(long entry) {
        if (layout.entryBytes == 4) {
            return (entry & PS) != 0 ? entry | 1L << 21 : entry;
        }
        return entry | (layout.mode == PagingMode.PAE ? 1L << 62 : 1L << 51);
    }

    private long pick(long[] frames) {
        return frames[random.nextInt(frames.length)];
    }
}
