package org.penumbra.testkit.lattice;

import java.util.ArrayList;
import java.util.List;

/**
 * The combinations of entries on the way from the top table to the page. A path is an array by level, from 1; {@link #ANY} stands
 * for an entry that no walk comes to, which is left as it is.
 *
 * <p>Full product: all values of a leaf PTE with all values of the PDE above it, where the levels above allow everything. Above,
 * each single restriction of one level, and all of them alike, with the same product if it is {@code wide}, else with a few values of the
 * PDE and all of the PTE. Large
 * pages: all values of the leaf, with a few of the levels above. Entries that end a walk (not present, reserved bits) are combined with
 * each restriction above, and with one entry below, which must stay as it is.
 */
final class Paths {
    static final long ANY = 1L << 63 | 1L << 51;

    private final Variants variants;
    private final int levels;
    private final List<long[]> all = new ArrayList<>();

    private Paths(Layout layout, Variants variants) {
        this.variants = variants;
        this.levels = layout.levels;
    }

    static long[][] of(Layout layout, Variants variants, boolean wide) {
        Paths paths = new Paths(layout, variants);
        paths.build(wide);
        return paths.all.toArray(long[][]::new);
    }

    private void build(boolean wide) {
        List<long[]> uppers = uppers();
        long[] open = uppers.get(0);
        below(open, variants.tables(2), variants.leaves(1));
        for (long[] upper : uppers.subList(1, uppers.size())) {
            List<Long> some = new ArrayList<>(List.of(variants.table(2)));
            some.addAll(variants.someTables(2));
            below(upper, wide ? variants.tables(2) : some, variants.leaves(1));
        }
        for (long[] upper : uppers) {
            for (long leaf : variants.leaves(2)) {
                add(upper, 2, leaf, variants.leaf(1));
            }
            for (long dead : variants.deadTables(2)) {
                add(upper, 2, dead, variants.leaf(1));
            }
        }
        for (int level = 3; level <= levels; level++) {
            for (long[] upper : uppers) {
                if (!openFrom(upper, open, level)) {
                    continue;
                }
                if (level == 3) {
                    variants.leaves(3).forEach(leaf -> add(upper, 3, leaf, ANY));
                }
                for (long dead : variants.deadTables(level)) {
                    add(upper, level, dead, variants.table(level - 1));
                }
            }
        }
    }

    /** Levels 3 and up: open, each restricted alone, all restricted alike. */
    private List<long[]> uppers() {
        List<long[]> uppers = new ArrayList<>();
        long[] open = new long[levels + 1];
        for (int l = 3; l <= levels; l++) {
            open[l] = variants.table(l);
        }
        uppers.add(open);
        for (int l = 3; l <= levels; l++) {
            for (long value : variants.someTables(l)) {
                long[] one = open.clone();
                one[l] = value;
                uppers.add(one);
            }
        }
        int kinds = levels < 3 ? 0 : variants.someTables(3).size();
        for (int i = 0; i < kinds; i++) {
            long[] alike = open.clone();
            for (int l = 3; l <= levels; l++) {
                alike[l] = variants.someTables(l).get(i);
            }
            uppers.add(alike);
        }
        return uppers;
    }

    /** True if {@code upper} restricts nothing at {@code level} and below: those that differ there only count once. */
    private static boolean openFrom(long[] upper, long[] open, int level) {
        for (int l = 3; l <= level; l++) {
            if (upper[l] != open[l]) {
                return false;
            }
        }
        return true;
    }

    private void below(long[] upper, List<Long> tables, List<Long> leaves) {
        for (long table : tables) {
            for (long leaf : leaves) {
                add(upper, 2, table, leaf);
            }
        }
    }

    /** A path with {@code entry} at {@code level} and {@code below} under it, {@link #ANY} further down. */
    private void add(long[] upper, int level, long entry, long below) {
        long[] path = upper.clone();
        path[level] = entry;
        path[level - 1] = below;
        for (int l = level - 2; l >= 1; l--) {
            path[l] = ANY;
        }
        path[0] = 0;
        all.add(path);
    }
}
