package org.penumbra.testkit.lattice;

import static org.penumbra.testkit.reference.EntryBits.A;
import static org.penumbra.testkit.reference.EntryBits.D;
import static org.penumbra.testkit.reference.EntryBits.G;
import static org.penumbra.testkit.reference.EntryBits.P;
import static org.penumbra.testkit.reference.EntryBits.PS;
import static org.penumbra.testkit.reference.EntryBits.RW;
import static org.penumbra.testkit.reference.EntryBits.US;
import static org.penumbra.testkit.reference.EntryBits.XD;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.paging.PagingMode;

/**
 * The values that an entry of one level takes, in the formats of SDM vol. 3, "Paging" (figures "Formats of CR3 and
 * Paging-Structure Entries"). Bits that the manual calls ignored, and memory types, are set in half of the values, differently in each.
 */
final class Variants {
    /** Protection keys of leaves; the registers give each another right. */
    static final int[] KEYS = {0, 5, 10, 15};

    /** PWT and PCD; in a PTE also PAT; bits 11:9. */
    private static final long IGNORED = 0x18 | 0xe00;
    /** With 8-byte entries of IA-32e mode bits 58:52, too. Bit 11 is left alone in tables: with HLAT it has a meaning. */
    private static final long IGNORED_HIGH = 0x07f0_0000_0000_0000L;

    private final Layout layout;
    private final int maxPhyAddr;
    private final boolean legacy;
    private final boolean keys;
    private int turn;

    Variants(Layout layout, int maxPhyAddr) {
        this.layout = layout;
        this.maxPhyAddr = maxPhyAddr;
        this.legacy = layout.mode == PagingMode.BITS_32;
        this.keys = layout.mode.isLong();
    }

    /** A table entry that allows everything and has been used. */
    long table(int level) {
        return layout.table(level - 1) | P | RW | US | A;
    }

    /** A leaf that allows everything and has been used and written. */
    long leaf(int level) {
        return layout.page(level, 0) | P | RW | US | A | D | (level > 1 ? PS : 0);
    }

    /** All combinations of R/W, U/S, A and XD, each with and without ignored bits. */
    List<Long> tables(int level) {
        List<Long> all = new ArrayList<>();
        for (long rights : combinations(legacy ? new long[] {RW, US, A} : new long[] {RW, US, A, XD})) {
            all.add(layout.table(level - 1) | P | rights);
            all.add(layout.table(level - 1) | P | rights | tableNoise());
        }
        return all;
    }

    /** A few values, each of which takes one right away, or the accessed flag. */
    List<Long> someTables(int level) {
        long full = table(level);
        List<Long> some = new ArrayList<>(List.of(full & ~RW, full & ~US, full & ~A, full | tableNoise(), full & ~(RW | US | A)));
        if (!legacy) {
            some.add(full | XD);
            some.add(full & ~(RW | US) | XD);
        }
        return some;
    }

    /** Table entries that lead nowhere: not present, and for each reserved field one with a bit of it set. */
    List<Long> deadTables(int level) {
        List<Long> all = absent(table(level));
        for (long bit : reservedInTable(level)) {
            for (long rights : combinations(RW | US, A)) {
                all.add(layout.table(level - 1) | P | rights | bit);
            }
        }
        return all;
    }

    /** Leaves: all combinations of R/W, U/S, A, D, XD and keys; each reserved field; the highest address bit; not present. */
    List<Long> leaves(int level) {
        long large = level > 1 ? PS : 0;
        List<Long> all = new ArrayList<>();
        for (long rights : combinations(legacy ? new long[] {RW, US, A, D} : new long[] {RW, US, A, D, XD})) {
            for (int key : keys ? KEYS : new int[] {0}) {
                all.add(layout.page(level, turn & 1) | large | P | rights | (long) key << 59 | leafNoise(level));
            }
        }
        for (long bit : reservedInLeaf(level)) {
            for (long rights : combinations(RW, US, A | D)) {
                all.add(layout.page(level, 0) | large | P | rights | bit);
            }
        }
        for (long bit : legalHigh(level)) {
            for (long rights : combinations(RW, US, A | D)) {
                all.add(layout.page(level, 0) | large | P | rights | bit);
            }
        }
        all.addAll(absent(leaf(level)));
        return all;
    }

    /** The leaves of {@link #leaves} that allow an access of some kind, all rights at least once: for sequences of registers. */
    List<Long> cachedLeaves() {
        List<Long> all = new ArrayList<>();
        for (long rights : combinations(legacy ? new long[] {RW, US, D} : new long[] {RW, US, D, XD})) {
            for (int key : keys ? KEYS : new int[] {0}) {
                all.add(layout.page(1, turn++ & 1) | P | A | rights | (long) key << 59);
            }
        }
        return all;
    }

    /** With P = 0 every other bit is software's. */
    private List<Long> absent(long like) {
        List<Long> all = new ArrayList<>();
        for (long rights : combinations(RW, US, A | D)) {
            long others = legacy ? 0 : rights == 0 ? -1L << 52 : (rights & RW) != 0 ? XD : 0;
            all.add(like & ~(P | RW | US | A | D) | rights | others);
        }
        return all;
    }

    private List<Long> reservedInTable(int level) {
        List<Long> bits = reservedAnywhere();
        // PML4E and PML5E have a reserved bit where others say that they map a page; a PDE under 32-bit paging never has one.
        if (level >= 4) {
            bits.add(PS);
        }
        return bits;
    }

    private List<Long> reservedInLeaf(int level) {
        List<Long> bits = reservedAnywhere();
        if (legacy && level == 2) {
            // PSE-36: bits 20:13 are address bits 39:32 as far as there are such, bit 21 is reserved.
            bits.add(1L << 21);
            if (maxPhyAddr < 40) {
                bits.add(1L << maxPhyAddr - 19);
            }
        } else if (level > 1) {
            // Between the memory-type bit and the page's address: the lowest and the highest.
            bits.add(1L << 13);
            bits.add(layout.pageBytes(level) >>> 1);
        }
        return bits;
    }

    /** Address bits beyond MAXPHYADDR: the lowest and the highest; under PAE paging bits 62:52 are reserved, too. */
    private List<Long> reservedAnywhere() {
        List<Long> bits = new ArrayList<>();
        if (legacy) {
            return bits;
        }
        if (maxPhyAddr < 52) {
            bits.add(1L << maxPhyAddr);
            bits.add(1L << 51);
        }
        if (layout.mode == PagingMode.PAE) {
            bits.add(1L << 52);
            bits.add(1L << 62);
        }
        return bits;
    }

    /** Highest address bits: not reserved, which shows where an access is refused for another reason. */
    private List<Long> legalHigh(int level) {
        if (legacy) {
            return level == 2 && maxPhyAddr > 32 ? List.of(1L << Math.min(maxPhyAddr, 40) - 20) : List.of();
        }
        return List.of(1L << maxPhyAddr - 1);
    }

    private long tableNoise() {
        long bits = legacy ? 0x18 | 0x600 | D : keys ? 0x18 | 0x600 | D | IGNORED_HIGH | 0xfL << 59 : 0x18 | 0x600 | D;
        return scattered(turn++) & bits | D;
    }

    private long leafNoise(int level) {
        long type = level == 1 ? PS : 1L << 12;
        return (turn++ & 2) == 0 ? 0 : scattered(turn) & (IGNORED | G | type | (keys ? IGNORED_HIGH : 0));
    }

    /** Some bits that look random and are the same in every run (the finaliser of SplitMix64). */
    private static long scattered(int n) {
        long z = (n + 1) * 0x9e37_79b9_7f4a_7c15L;
        z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }

    private static List<Long> combinations(long... bits) {
        List<Long> all = new ArrayList<>();
        for (int n = 0; n < 1 << bits.length; n++) {
            long value = 0;
            for (int i = 0; i < bits.length; i++) {
                value |= (n >> i & 1) != 0 ? bits[i] : 0;
            }
            all.add(value);
        }
        return all;
    }
}
