package org.penumbra.testkit.lattice;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;

/**
 * All vectors of a paging mode, numbered. Immutable.
 *
 * <p>Families, one after the other:
 * <ol>
 *   <li>REGISTERS: each right of a page, with each kind of access, under each setting of the registers in turn: what is cached outlives
 *       the change, since nothing between asks for anything else;
 *   <li>ADDRESSES: linear addresses at the edges of what is canonical; without paging all addresses;
 *   <li>PDPTES: PAE paging, the values of a PDPTE, loaded and not loaded;
 *   <li>ENTRIES: each setting of the registers without protection keys, with each path of the wide product, with each kind of access;
 *   <li>KEYS: each setting with protection keys, with each path of the other product, with each kind.
 * </ol>
 */
final class Lattice {
    enum Family { REGISTERS, ADDRESSES, PDPTES, ENTRIES, KEYS }

    /** The kinds of access: with CPL 3, with CPL 0, and with CPL 0 and EFLAGS.AC = 1. */
    private static final int[] KINDS = {
        Access.READ, Access.WRITE, Access.FETCH, Access.READ | Access.AC, Access.WRITE | Access.AC,
        Access.READ | Access.USER, Access.WRITE | Access.USER, Access.FETCH | Access.USER
    };

    final Layout layout;
    final Controls controls;
    private final long[][] wide;
    private final long[][] paths;
    private final long[][] cached;
    private final long[] addresses;
    private final long[] pdptes;
    private final long[] open;
    private final long[] ends = new long[Family.values().length];

    Lattice(PagingMode mode, int maxPhyAddr) {
        layout = new Layout(mode);
        controls = new Controls(layout);
        Variants variants = new Variants(layout, maxPhyAddr);
        boolean paged = mode != PagingMode.NONE;
        wide = paged ? Paths.of(layout, variants, true) : new long[0][];
        paths = paged ? Paths.of(layout, variants, false) : new long[0][];
        open = new long[layout.levels + 1];
        for (int l = 1; l <= layout.levels; l++) {
            open[l] = l == 1 ? variants.leaf(1) : variants.table(l);
        }
        cached = paged ? cached(variants) : new long[0][];
        addresses = addresses();
        pdptes = mode == PagingMode.PAE ? pdptes(maxPhyAddr) : new long[0];
        long kinds = KINDS.length;
        ends[0] = cached.length * controls.count() * kinds;
        ends[1] = ends[0] + controls.count() * addresses.length * kinds;
        ends[2] = ends[1] + pdptes.length * 4 * kinds;
        ends[3] = ends[2] + controls.keyless() * wide.length * kinds;
        ends[4] = ends[3] + (controls.count() - controls.keyless()) * paths.length * kinds;
    }

    private long[][] cached(Variants variants) {
        List<long[]> all = new ArrayList<>();
        for (long leaf : variants.cachedLeaves()) {
            long[] path = open.clone();
            path[1] = leaf;
            all.add(path);
        }
        return all.toArray(long[][]::new);
    }

    private long[] addresses() {
        switch (layout.mode) {
            case NONE:
                return layout.words();
            case FOUR_LEVEL:
                return edges(47);
            case FIVE_LEVEL:
                return edges(56);
            default:
                return new long[] {layout.gva};
        }
    }

    /** Addresses of which bit {@code highest} and the bits above differ, and one of which they do not. */
    private long[] edges(int highest) {
        long low = layout.gva & (1L << highest) - 1;
        return new long[] {
            layout.gva, low | 1L << highest, low | 1L << highest + 1, low | 1L << 63, low | -1L << highest + 1, 1L << highest, -1L << highest + 1
        };
    }

    /** One value for each bit of a PDPTE, present and not (SDM vol. 3, "PDPTE Registers"). */
    private long[] pdptes(int maxPhyAddr) {
        List<Long> values = new ArrayList<>();
        long table = layout.table(2);
        for (long present = 0; present <= 1; present++) {
            values.add(table | present);
            for (int bit = 1; bit < 64; bit++) {
                // Address bits lead out of memory.
                if (bit < 12 || bit >= maxPhyAddr) {
                    values.add(table | present | 1L << bit);
                }
            }
        }
        return values.stream().mapToLong(v -> v).toArray();
    }

    /** The number of vectors. */
    long size() {
        return ends[ends.length - 1];
    }

    /** Sets {@code v} to vector {@code number}. */
    void decode(long number, Vector v) {
        v.number = number;
        v.gva = layout.gva;
        v.path = open;
        int kinds = KINDS.length;
        int family = 0;
        while (number >= ends[family]) {
            family++;
        }
        v.family = Family.values()[family];
        long n = family == 0 ? number : number - ends[family - 1];
        if (v.family == Family.REGISTERS) {
            v.control = (int) (n % controls.count());
            n /= controls.count();
        }
        v.access = KINDS[(int) (n % kinds)];
        n /= kinds;
        // SMAP alone looks at EFLAGS.AC, and not for a user access or a fetch: for these it is set in every second vector.
        boolean indifferent = Access.isUser(v.access) || Access.isFetch(v.access);
        v.ac = (v.access & Access.AC) != 0 || indifferent && (n & 1) != 0;
        switch (v.family) {
            case ENTRIES:
                v.path = wide[(int) (n % wide.length)];
                v.control = (int) (n / wide.length);
                break;
            case KEYS:
                v.path = paths[(int) (n % paths.length)];
                v.control = controls.keyless() + (int) (n / paths.length);
                break;
            case REGISTERS:
                v.path = cached[(int) n];
                break;
            case ADDRESSES:
                v.gva = addresses[(int) (n % addresses.length)];
                v.control = (int) (n / addresses.length);
                break;
            default:
                v.control = 0;
                v.loads = (n & 1) == 0;
                v.pdpteIndex = (n & 2) == 0 ? (int) (layout.gva >>> 30) & 3 : 2;
                v.pdpte = pdptes[(int) (n >> 2)];
                break;
        }
    }

    /** The number of the first vector after {@code v} that may have another setting of the registers. */
    long afterControl(Vector v) {
        switch (v.family) {
            case ENTRIES:
                return ends[2] + (v.control + 1L) * wide.length * KINDS.length;
            case KEYS:
                return ends[3] + (v.control + 1L - controls.keyless()) * paths.length * KINDS.length;
            case ADDRESSES:
                return ends[0] + (v.control + 1L) * addresses.length * KINDS.length;
            case REGISTERS:
                return v.number + 1;
            default:
                return ends[2];
        }
    }
}
