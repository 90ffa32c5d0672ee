package org.penumbra.ept;

import java.util.function.BiConsumer;
import java.util.function.LongUnaryOperator;

/**
 * A guest hypervisor's EPT tables in its memory, built by stores like a hypervisor's own. Nested tables are built alike: where these have R,
 * W and X, those have P, R/W and U/S, and bit 7 says the same.
 */
final class Ept12Tables {
    static final long R = 1;
    static final long W = 2;
    static final long X = 4;
    /** Memory type write-back. */
    static final long WB = 6 << 3;
    static final long LARGE = 1 << 7;
    static final long A = 1 << 8;
    static final long D = 1 << 9;
    static final long FLAGS = 1 << 6;

    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private final LongUnaryOperator load;
    private final BiConsumer<Long, Long> store;
    private final long root;
    private final int levels;
    private long next;

    /** Empty tables of {@code levels}: the root at gfn {@code rootGfn}, others after it. */
    Ept12Tables(long rootGfn, int levels, LongUnaryOperator load, BiConsumer<Long, Long> store) {
        this.root = rootGfn << 12;
        this.next = rootGfn + 1;
        this.levels = levels;
        this.load = load;
        this.store = store;
    }

    /** gpa of the top table. */
    long root() {
        return root;
    }

    /** The EPTP: write-back, and with {@code flags} accessed and dirty flags. */
    long eptp(boolean flags) {
        return root | 6 | (long) levels - 1 << 3 | (flags ? FLAGS : 0);
    }

    /** Maps {@code gpa} of L2 to {@code gfn} by an entry of {@code level} with {@code bits}; the entries above grant everything. */
    void map(long gpa, long gfn, int level, long bits) {
        long table = root;
        for (int l = levels; l > level; l--) {
            long at = at(table, gpa, l);
            if (load.applyAsLong(at) == 0) {
                store.accept(at, next++ << 12 | R | W | X);
            }
            table = load.applyAsLong(at) & ADDRESS;
        }
        store.accept(at(table, gpa, level), gfn << 12 | bits | (level > 1 ? LARGE : 0));
    }

    /** gpa of L1 of the entry of {@code level} for {@code gpa}; −1 if a level above leads to no table. */
    long entryAt(long gpa, int level) {
        long table = root;
        for (int l = levels; l > level; l--) {
            long entry = load.applyAsLong(at(table, gpa, l));
            if ((entry & (R | W | X)) == 0 || l <= 3 && (entry & LARGE) != 0) {
                return -1;
            }
            table = entry & ADDRESS;
        }
        return at(table, gpa, level);
    }

    private static long at(long table, long gpa, int level) {
        return table + 8 * (gpa >>> 12 + 9 * (level - 1) & 511);
    }
}
