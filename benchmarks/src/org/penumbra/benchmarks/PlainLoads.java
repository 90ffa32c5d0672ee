package org.penumbra.benchmarks;

import org.penumbra.api.memory.PhysicalMemory;

/**
 * The same loads as the simulated hardware makes, from one plain Java array that holds the same memory: nothing is checked, cached,
 * counted or updated. What no model of this hardware in Java can be faster than.
 */
final class PlainLoads {
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    /** Sets of the first level; its first way is all that is looked at. */
    private static final int FIRST_SETS = 16;
    private static final int FIRST_WAYS = 4;
    private static final int SECOND_SETS = 128;
    private static final int SECOND_WAYS = 12;

    private final long[] words;
    private final long root;
    private final long eptRoot;
    private final long[] firstTag = new long[FIRST_SETS * FIRST_WAYS];
    private final long[] firstFrame = new long[FIRST_SETS * FIRST_WAYS];
    private final long[] secondTag = new long[SECOND_SETS * SECOND_WAYS];
    private final long[] secondFrame = new long[SECOND_SETS * SECOND_WAYS];

    /** A copy of the memory of {@code guest}, and TLB arrays with a translation for each of its pages while there is room. */
    PlainLoads(Guest guest) {
        PhysicalMemory memory = guest.memory;
        words = new long[(int) (memory.bytes() / 8)];
        for (int i = 0; i < words.length; i++) {
            words[i] = memory.load64(8L * i);
        }
        root = guest.root;
        eptRoot = guest.eptRoot;
        int[] firstUsed = new int[FIRST_SETS];
        int[] secondUsed = new int[SECOND_SETS];
        for (long gva : guest.gvas) {
            long frame = eptRoot == 0 ? frame4(gva) : frame24(gva);
            put(firstTag, firstFrame, firstUsed, FIRST_SETS, FIRST_WAYS, gva >>> 12, frame);
            put(secondTag, secondFrame, secondUsed, SECOND_SETS, SECOND_WAYS, gva >>> 12, frame);
        }
    }

    private static void put(long[] tag, long[] frame, int[] used, int sets, int ways, long page, long to) {
        int set = (int) page & sets - 1;
        if (used[set] < ways) {
            tag[set * ways + used[set]] = page;
            frame[set * ways + used[set]] = to;
            used[set]++;
        }
    }

    /** The word at {@code gva}, whose page is in the first level. */
    long hit(long gva) {
        int i = find(firstTag, gva >>> 12, FIRST_SETS, FIRST_WAYS);
        return word(firstFrame[i] | gva & 0xfff);
    }

    /** The word at {@code gva}, whose page is in the second level; in the first it is looked for in vain. */
    long secondLevelHit(long gva) {
        int i = find(firstTag, gva >>> 12, FIRST_SETS, FIRST_WAYS);
        long frame = i >= 0 ? firstFrame[i] : secondFrame[find(secondTag, gva >>> 12, SECOND_SETS, SECOND_WAYS)];
        return word(frame | gva & 0xfff);
    }

    /** The word at {@code gva}, after a walk of 4 references. */
    long walk4(long gva) {
        return word(frame4(gva) | gva & 0xfff);
    }

    /** The word at {@code gva}, after a walk of 24 references. */
    long walk24(long gva) {
        return word(frame24(gva) | gva & 0xfff);
    }

    private long frame4(long gva) {
        return frame4(root, gva);
    }

    private long frame4(long top, long address) {
        long table = top;
        table = word(table + 8 * (address >>> 39 & 511)) & ADDRESS;
        table = word(table + 8 * (address >>> 30 & 511)) & ADDRESS;
        table = word(table + 8 * (address >>> 21 & 511)) & ADDRESS;
        return word(table + 8 * (address >>> 12 & 511)) & ADDRESS;
    }

    private long frame24(long gva) {
        long table = root;
        for (int shift = 39; shift >= 12; shift -= 9) {
            table = word(frame4(eptRoot, table) + 8 * (gva >>> shift & 511)) & ADDRESS;
        }
        return frame4(eptRoot, table);
    }

    private static int find(long[] tag, long page, int sets, int ways) {
        int i = ((int) page & sets - 1) * ways;
        for (int end = i + ways; i < end; i++) {
            if (tag[i] == page) {
                return i;
            }
        }
        return -1;
    }

    private long word(long address) {
        return words[(int) (address >>> 3)];
    }
}
