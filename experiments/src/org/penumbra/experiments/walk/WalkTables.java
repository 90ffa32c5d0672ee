package org.penumbra.experiments.walk;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.Pdptes;

/**
 * Translation tables of a guest, made by hand: every table entry grants everything, so that the page's entry alone decides (SDM vol.
 * 3, "Determination of Access Rights"). They begin at {@link #ROOT}, one frame each.
 *
 * <pre>
 *  bit  0  P    present               bit  2  U/S  user
 *  bit  1  R/W  writable              bit  7  PS   maps a page, above level 1
 * </pre>
 *
 * A PDPTE of PAE paging has none of these but P.
 */
final class WalkTables {
    /** Guest-physical address of the top table. */
    static final long ROOT = 0x10_0000;

    private static final long P = 1;
    private static final long RW = 1 << 1;
    private static final long US = 1 << 2;
    private static final long PS = 1 << 7;
    private static final int PDPTE_SHIFT = 30;

    private final PagingMode mode;
    private final Map<String, Long> tables = new HashMap<>();
    private final TreeMap<Long, Long> words = new TreeMap<>();
    private long next = ROOT;

    WalkTables(PagingMode mode) {
        this.mode = mode;
        table("root");
    }

    /** Maps {@code gva} by a page of size {@code size} at {@code gpa}, for user mode if {@code user}. */
    void map(long gva, long gpa, PageSize size, boolean user) {
        int shift = topShift();
        long table = ROOT;
        while (shift > size.shift()) {
            int number = index(gva, shift);
            long below = table(shift + " " + (gva >> shift));
            entry(table, number, below | (mode == PagingMode.PAE && shift == PDPTE_SHIFT ? P : P | RW | US));
            table = below;
            shift -= bits();
        }
        entry(table, index(gva, shift), gpa | P | RW | (user ? US : 0) | (size == PageSize.SMALL ? 0 : PS));
    }

    /** The PDPTE registers that a load from the top table gives; empty ones in other modes. */
    Pdptes pdptes() {
        return mode == PagingMode.PAE ? new Pdptes(word(0), word(1), word(2), word(3)) : Pdptes.NONE;
    }

    void store(GuestBoot.Loader loader) {
        words.forEach(loader::store64);
    }

    private long word(int n) {
        return words.getOrDefault(ROOT + 8L * n, 0L);
    }

    private int topShift() {
        return mode == PagingMode.PAE ? PDPTE_SHIFT : 12 + (mode.levels() - 1) * bits();
    }

    private int bits() {
        return mode == PagingMode.BITS_32 ? 10 : 9;
    }

    private int index(long gva, int shift) {
        return (int) (gva >>> shift) & (1 << bits()) - 1;
    }

    private long table(String place) {
        return tables.computeIfAbsent(place, p -> {
            long gpa = next;
            next += 0x1000;
            return gpa;
        });
    }

    private void entry(long table, int number, long value) {
        long at = table + (long) number * mode.entryBytes();
        int low = (int) (at & 7) * 8;
        long others = mode.entryBytes() == 8 ? 0 : words.getOrDefault(at & -8L, 0L) & ~(0xffff_ffffL << low);
        words.put(at & -8L, others | value << low);
    }
}
