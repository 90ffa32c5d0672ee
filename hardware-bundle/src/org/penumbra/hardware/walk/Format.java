package org.penumbra.hardware.walk;

/**
 * The format of one kind of paging structures, as a table: the walker reads it and knows no format by itself. Immutable.
 *
 * @param name for messages
 * @param present an entry with none of these bits is not present
 * @param pageBit in an entry above level 1: set if it maps a page, where its level may
 * @param path bits that are combined along the path, as a logical AND after {@code inverted} bits are turned over
 * @param inverted those bits of {@code path} whose 1 takes a right away
 * @param leaf bits of the entry that maps the page which belong to the translation
 * @param accessed the accessed flag
 * @param dirty the dirty flag
 * @param address bits of an entry that hold the address of the next table or, less the offset, of the page
 * @param illegalLow a bit per value of entry bits 2:0 that a present entry must not have
 * @param legalTypes a bit per value of entry bits 5:3 that an entry which maps a page may have
 * @param rows one row per level; row 0 is level 1
 */
public record Format(
        String name,
        long present,
        long pageBit,
        long path,
        long inverted,
        long leaf,
        long accessed,
        long dirty,
        long address,
        int illegalLow,
        int legalTypes,
        Row[] rows) {

    /**
     * One level.
     *
     * @param shift lowest bit of an address that selects an entry of this level
     * @param bits how many bits select it
     * @param mapsPage true if an entry with {@code pageBit} maps a page here; always true at level 1
     * @param reservedInTable bits that are 0 in an entry that refers to a table
     * @param reservedInPage bits that are 0 in an entry that maps a page
     */
    public record Row(int shift, int bits, boolean mapsPage, long reservedInTable, long reservedInPage) {}

    /** How many levels a walk from the root goes through. */
    public int levels() {
        return rows.length;
    }

    /** The row of {@code level}, from 1. */
    public Row row(int level) {
        return rows[level - 1];
    }

    /** Byte offset of the entry for {@code address} in its table of {@code level}. */
    public int offset(int level, long address) {
        Row r = rows[level - 1];
        return ((int) (address >>> r.shift) & (1 << r.bits) - 1) << 3;
    }

    /** True if {@code entry} of {@code level} maps a page. */
    public boolean isPage(int level, long entry) {
        return level == 1 || (entry & pageBit) != 0 && rows[level - 1].mapsPage;
    }

    /** True if the present {@code entry} is one that the format rules out. */
    public boolean malformed(int level, long entry, boolean page) {
        Row r = rows[level - 1];
        long reserved = page ? r.reservedInPage : r.reservedInTable;
        return (entry & reserved) != 0
                || (illegalLow >>> (entry & 7) & 1) != 0
                || page && (legalTypes >>> (entry >>> 3 & 7) & 1) == 0;
    }

    /** Bits {@code high}:{@code low}, all ones; none if {@code high} is below {@code low}. */
    static long bits(int high, int low) {
        return high < low ? 0 : -1L >>> 63 - high & -1L << low;
    }
}
