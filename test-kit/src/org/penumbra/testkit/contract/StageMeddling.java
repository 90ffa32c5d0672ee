package org.penumbra.testkit.contract;

import java.util.SplittableRandom;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.testkit.nested.Hypervisor;
import org.penumbra.testkit.nested.Meddler;
import org.penumbra.testkit.nested.StageTables;
import org.penumbra.testkit.script.Script;

/**
 * What a guest hypervisor does to its EPT or nested tables, at random: rights, pages that move, large pages, reserved bits, flags, other roots,
 * VPIDs and ASIDs, another of its guests; with the INVEPT or flush that it needs, or without, as the architecture lets it.
 */
final class StageMeddling implements Meddler {
    private static final long EPT_TYPE = 7 << 3;
    /** Memory types that are none (SDM vol. 3, "EPT Misconfigurations"). */
    private static final long[] NO_TYPES = {2 << 3, 3 << 3, 7 << 3};
    private static final int COMBINATIONS = 5;

    private final SplittableRandom random;
    private final long[] tables;
    private final long[] pages;
    private final boolean moves;

    /**
     * @param tables L2's frames that may be tables
     * @param pages its other frames in play
     * @param moves pages may change places, which only a checker can follow
     */
    StageMeddling(SplittableRandom random, long[] tables, long[] pages, boolean moves) {
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
        if (l1.guests() > 1 && random.nextInt(3) == 0) {
            l1.turnTo(random.nextInt(l1.guests()));
        }
    }

    private void once(Hypervisor l1) {
        Script s = l1.plan();
        StageTables t = l1.tables();
        long ngpa = pick(random.nextBoolean() ? tables : pages);
        switch (random.nextInt(14)) {
            case 0, 1 -> rights(s, t, ngpa, t.isLarge(ngpa) ? 2 : 1);
            case 2 -> rights(s, t, ngpa, 2 + random.nextInt(3));
            case 3 -> t.set(s, random.nextInt(4) == 0 ? 2 + random.nextInt(3) : 1, ngpa, 0);
            case 4 -> move(s, t);
            case 5 -> size(s, t, ngpa);
            case 6 -> misconfigure(s, t, ngpa);
            case 7 -> clearFlags(s, t, ngpa);
            case 8 -> halves(s, t, ngpa);
            case 9, 10 -> l1.flushTables(random.nextBoolean());
            case 11 -> l1.flushLinear(random.nextInt(4), random.nextInt(8) << 12);
            default -> l1.tag(random.nextInt(3), random.nextInt(4));
        }
        if (random.nextInt(3) == 0) {
            l1.flushTables(random.nextBoolean());
        }
    }

    private void rights(Script s, StageTables t, long ngpa, int level) {
        long old = t.believed(level, ngpa);
        if (old != 0) {
            t.set(s, level, ngpa, t.format().withRights(old, random.nextInt(COMBINATIONS)));
        }
    }

    /** A page shows another one, or itself again. */
    private void move(Script s, StageTables t) {
        long page = pick(pages);
        if (moves) {
            t.move(page, random.nextInt(3) == 0 ? page : pick(pages));
            if (!t.isLarge(page)) {
                t.set(s, 1, page, t.leaf(page));
            }
        }
    }

    private void size(Script s, StageTables t, long ngpa) {
        if (t.isLarge(ngpa)) {
            t.set(s, 2, ngpa, t.pointer(2, ngpa));
        } else {
            t.set(s, 2, ngpa, t.largeLeaf(ngpa));
        }
    }

    private void misconfigure(Script s, StageTables t, long ngpa) {
        boolean leaf = random.nextInt(3) != 0;
        int level = leaf ? t.isLarge(ngpa) ? 2 : 1 : 3 + random.nextInt(2);
        long entry = leaf && level == 1 ? t.leaf(ngpa) : leaf ? t.largeLeaf(ngpa) : t.pointer(level, ngpa);
        t.set(s, level, ngpa, t.format() == StageTables.Format.EPT ? misconfigured(entry, leaf, t.beyond()) : reserved(entry, leaf, level, t.beyond()));
    }

    private long misconfigured(long entry, boolean leaf, long beyond) {
        return switch (random.nextInt(3)) {
            case 0 -> entry & ~StageTables.Format.EPT.all() | 2;
            case 1 -> leaf ? entry & ~EPT_TYPE | NO_TYPES[random.nextInt(NO_TYPES.length)] : entry | 1L << 3 + random.nextInt(4);
            default -> entry | beyond;
        };
    }

    /** APM vol. 2, "4-Kbyte Page Translation" and "2-Mbyte Page Translation": bits 20:13 of a large leaf, PS of a PML4E. */
    private long reserved(long entry, boolean leaf, int level, long beyond) {
        return leaf && level == 2 && random.nextBoolean() ? entry | 1L << 13 + random.nextInt(8)
                : level == 4 && random.nextBoolean() ? entry | 1 << 7 : entry | beyond;
    }

    private static void clearFlags(Script s, StageTables t, long ngpa) {
        s.update(t.entryAt(t.isLarge(ngpa) ? 2 : 1, ngpa), 8, UpdateFunction.AND, ~t.format().flags());
    }

    /** A leaf written by stores of 4 bytes, not present in between. */
    private void halves(Script s, StageTables t, long ngpa) {
        if (!t.isLarge(ngpa)) {
            long at = t.entryAt(1, ngpa);
            s.window(Script.STORE, at, 4, 0);
            s.window(Script.STORE, at + 4, 4, 0);
            t.set(s, 1, ngpa, t.leaf(ngpa));
        }
    }

    private long pick(long[] frames) {
        return frames[random.nextInt(frames.length)];
    }
}
