package org.penumbra.testkit.contract;

import java.util.SplittableRandom;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.testkit.nested.Ept12;
import org.penumbra.testkit.nested.Hypervisor;
import org.penumbra.testkit.nested.Meddler;
import org.penumbra.testkit.script.Script;

/**
 * What a guest hypervisor does to its EPT tables, at random: rights, pages that move, large pages, reserved bits, flags, other EPT pointers and
 * VPIDs; with the INVEPT that it needs, or without, as the architecture lets it.
 */
final class Ept12Meddling implements Meddler {
    private static final long LEAVES = Ept12.WRITE_BACK;
    private static final long RIGHTS = Ept12.ALL;
    private static final long ACCESSED_AND_DIRTY = 3 << 8;
    /** R; R W; R X; X; all. */
    private static final long[] ALLOWED = {1, 3, 5, 4, 7};
    /** Memory types that are none, and W without R (SDM vol. 3, "EPT Misconfigurations"). */
    private static final long[] TYPES = {2 << 3, 3 << 3, 7 << 3};

    private final SplittableRandom random;
    private final long[] tables;
    private final long[] pages;
    private final boolean moves;

    /**
     * @param tables L2's frames that may be tables
     * @param pages its other frames in play
     * @param moves pages may change places, which only a checker can follow
     */
    Ept12Meddling(SplittableRandom random, long[] tables, long[] pages, boolean moves) {
        this.random = random;
        this.tables = tables;
        this.pages = pages;
        this.moves = moves;
    }

    @Override
    public synchronized void meddle(Hypervisor l1) {
        for (int n = random.nextInt(3); n > 0; n--) {
            once(l1);
        }
    }

    private void once(Hypervisor l1) {
        Script s = l1.plan();
        Ept12 ept = l1.ept();
        long ngpa = pick(random.nextBoolean() ? tables : pages);
        switch (random.nextInt(14)) {
            case 0, 1 -> rights(s, ept, ngpa, ept.isLarge(ngpa) ? 2 : 1);
            case 2 -> rights(s, ept, ngpa, 2 + random.nextInt(3));
            case 3 -> ept.set(s, random.nextInt(4) == 0 ? 2 + random.nextInt(3) : 1, ngpa, 0);
            case 4 -> move(s, ept);
            case 5 -> size(s, ept, ngpa);
            case 6 -> misconfigure(s, ept, ngpa);
            case 7 -> clearFlags(s, ept, ngpa);
            case 8 -> halves(s, ept, ngpa);
            case 9, 10 -> l1.invept(random.nextBoolean());
            case 11 -> l1.invvpid(random.nextInt(4), random.nextInt(8) << 12);
            default -> l1.tag(random.nextInt(3), random.nextInt(4));
        }
        if (random.nextInt(3) == 0) {
            l1.invept(random.nextBoolean());
        }
    }

    private void rights(Script s, Ept12 ept, long ngpa, int level) {
        long old = ept.believed(level, ngpa);
        if (old != 0) {
            ept.set(s, level, ngpa, old & ~RIGHTS | ALLOWED[random.nextInt(ALLOWED.length)]);
        }
    }

    /** A page shows another one, or itself again. */
    private void move(Script s, Ept12 ept) {
        long page = pick(pages);
        if (moves) {
            ept.move(page, random.nextInt(3) == 0 ? page : pick(pages));
            if (!ept.isLarge(page)) {
                ept.set(s, 1, page, ept.leaf(page));
            }
        }
    }

    private void size(Script s, Ept12 ept, long ngpa) {
        if (ept.isLarge(ngpa)) {
            ept.set(s, 2, ngpa, ept.pointer(2, ngpa));
        } else {
            ept.set(s, 2, ngpa, ept.largeLeaf(ngpa));
        }
    }

    private void misconfigure(Script s, Ept12 ept, long ngpa) {
        boolean leaf = random.nextInt(3) != 0;
        int level = leaf ? ept.isLarge(ngpa) ? 2 : 1 : 3 + random.nextInt(2);
        long entry = leaf && level == 1 ? ept.leaf(ngpa) : leaf ? ept.largeLeaf(ngpa) : ept.pointer(level, ngpa);
        switch (random.nextInt(3)) {
            case 0 -> entry = entry & ~RIGHTS | 2;
            case 1 -> entry = leaf ? entry & ~LEAVES | TYPES[random.nextInt(TYPES.length)] : entry | 1L << 3 + random.nextInt(4);
            default -> entry |= ept.beyond();
        }
        ept.set(s, level, ngpa, entry);
    }

    private static void clearFlags(Script s, Ept12 ept, long ngpa) {
        s.update(ept.entryAt(ept.isLarge(ngpa) ? 2 : 1, ngpa), 8, UpdateFunction.AND, ~ACCESSED_AND_DIRTY);
    }

    /** A leaf written by stores of 4 bytes, not present in between. */
    private void halves(Script s, Ept12 ept, long ngpa) {
        if (!ept.isLarge(ngpa)) {
            long at = ept.entryAt(1, ngpa);
            s.window(Script.STORE, at, 4, 0);
            s.window(Script.STORE, at + 4, 4, 0);
            ept.set(s, 1, ngpa, ept.leaf(ngpa));
        }
    }

    private long pick(long[] frames) {
        return frames[random.nextInt(frames.length)];
    }
}
