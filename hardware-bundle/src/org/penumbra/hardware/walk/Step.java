package org.penumbra.hardware.walk;

import org.penumbra.api.memory.PhysicalMemory;

/**
 * What a walker keeps for one level of its tables: how software usually leaves entries there, so that one comparison is all that most
 * entries need, and the frame of the table that was read last. It is so often the right one again that the host's processor need not
 * wait for the entry which says so. One thread.
 */
final class Step {
    final int level;
    /** The next level down; null for level 1. */
    final Step lower;
    /** Size of a page of this level as a power of two: the lowest bit of an address that selects an entry. */
    int shift;
    /** As many ones as bits select an entry. */
    long index;
    /** Bits that count as if they were set in each entry. */
    long implied;
    /**
     * An entry whose bits under {@link #tableMask} are {@link #table} refers to a table: it is present, has no reserved bit, and its
     * accessed flag is set if flags are maintained. At level 1 there is none such.
     */
    long tableMask;
    long table;
    /** The same for an entry that maps a page; one without write-back memory, where the format says types, is not a usual one. */
    long pageMask;
    long page;
    /** Bits of such an entry that are the address of its page. */
    long pageBits;
    private final PhysicalMemory memory;
    private long[] frame;

    Step(int level, Step lower, PhysicalMemory memory) {
        this.level = level;
        this.lower = lower;
        this.memory = memory;
        frame = memory.frame(0);
    }

    void load(Format tables, long alsoReserved, boolean flags) {
        // What all entries of a level are taken to have they need not have, and may not: A in the PDPTEs of PAE paging.
        long usual = tables.usual(flags) & ~tables.implied[level];
        shift = tables.shift(level);
        index = tables.index[level];
        implied = tables.implied[level];
        pageBits = tables.address & -1L << shift;
        tableMask = tables.usualMask(level, usual) | alsoReserved;
        table = level == 1 ? Format.NONE : usual;
        pageMask = tables.usualPageMask(level, usual) | alsoReserved;
        page = tables.usualPage(level, usual);
    }

    /** Where the entry for {@code address} is in the table at {@code table}, of 8-byte entries. */
    long slot(long table, long address) {
        return table | (address >>> shift & index) << 3;
    }

    /** The frame at {@code hpa}. */
    long[] frame(long hpa) {
        long[] last = frame;
        if (PhysicalMemory.holds(last, hpa)) {
            return last;
        }
        frame = memory.frame(hpa);
        return frame;
    }
}
