package org.penumbra.hardware.walk;

import java.util.Arrays;
import org.penumbra.api.paging.EntryFormat;

/**
 * The format of one kind of paging structures, as a table: the walker reads it and knows no format by itself. Immutable. Levels
 * count from 1, the lowest.
 */
public final class Format implements EntryFormat {
    /**
     * One level.
     *
     * @param name the manual's name of an entry
     * @param shift lowest bit of an address that selects an entry
     * @param bits how many bits select it
     * @param mapsPage true if an entry with the page bit maps a page here; always true at level 1
     * @param reservedInTable bits that are 0 in an entry that refers to a table
     * @param reservedInPage bits that are 0 in an entry that maps a page
     */
    record Row(String name, int shift, int bits, boolean mapsPage, long reservedInTable, long reservedInPage) {}

    /**
     * What entries of all levels have in common.
     *
     * @param entryBytes 4 or 8
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
     * @param highAddress bits of an entry above level 1 that hold bits 39:32 of a page's address (PSE-36), from bit 13 up
     * @param noRights bits of {@code path} that the entries of the top level do not have, and so do not take away
     */
    record Bits(int entryBytes, long present, long pageBit, long path, long inverted, long leaf, long accessed, long dirty, long address,
            int illegalLow, int legalTypes, long highAddress, long noRights) {}

    /** Bits that no entry has under a mask which leaves out any. */
    static final long NONE = -1;

    private static final int ANY_TYPE = 0xff;
    /** Entry bits 5:3 in a format with memory types, and write-back in them. */
    private static final long TYPE = 7 << 3;
    private static final long WRITE_BACK = 6 << 3;

    private final String name;
    private final Row[] rows;
    private final EntryNames names;

    final int entryShift;
    final long present;
    final long pageBit;
    final long path;
    final long inverted;
    final long leaf;
    final long accessed;
    final long dirty;
    final long address;
    final long highAddress;
    /** Each table fills a frame with 512 entries of 8 bytes, which have all the rights of the format. */
    final boolean regular;
    /** By level. */
    final int[] shift;
    /** By level: as many ones as bits select an entry. */
    final long[] index;
    private final boolean[] mapsPage;
    private final long[] reservedInTable;
    private final long[] reservedInPage;
    /** By level: bits that count as if they were set in each entry. */
    final long[] implied;
    private final int illegalLow;
    private final int legalTypes;

    /** @param rows one row per level; row 0 is level 1 */
    Format(String name, EntryNames names, Bits bits, Row... rows) {
        this.name = name;
        this.names = names;
        this.rows = rows;
        entryShift = bits.entryBytes == 4 ? 2 : 3;
        present = bits.present;
        pageBit = bits.pageBit;
        path = bits.path;
        inverted = bits.inverted;
        leaf = bits.leaf;
        accessed = bits.accessed;
        dirty = bits.dirty;
        address = bits.address;
        highAddress = bits.highAddress;
        illegalLow = bits.illegalLow;
        legalTypes = bits.legalTypes;
        int n = rows.length + 1;
        shift = new int[n];
        index = new long[n];
        mapsPage = new boolean[n];
        reservedInTable = new long[n];
        reservedInPage = new long[n];
        implied = new long[n];
        for (int level = 1; level < n; level++) {
            Row r = rows[level - 1];
            shift[level] = r.shift;
            index[level] = (1L << r.bits) - 1;
            mapsPage[level] = r.mapsPage;
            reservedInTable[level] = r.reservedInTable;
            reservedInPage[level] = r.reservedInPage;
        }
        implied[n - 1] = bits.noRights;
        regular = bits.entryBytes == 8 && bits.noRights == 0 && Arrays.stream(rows).allMatch(r -> r.bits == 9);
    }

    /** How many levels a walk from the root goes through. */
    public int levels() {
        return rows.length;
    }

    /** Bits of an address that a walk from the root translates. */
    int addressBits() {
        Row top = rows[rows.length - 1];
        return top.shift + top.bits;
    }

    /** Lowest bit of an address that selects an entry of {@code level}: the size of its page as a power of two. */
    public int shift(int level) {
        return shift[level];
    }

    /** True if {@code entry} of {@code level} maps a page. */
    boolean isPage(int level, long entry) {
        return level == 1 || (entry & pageBit) != 0 && mapsPage[level];
    }

    /** True if the present {@code entry} is one that the format rules out. */
    boolean malformed(int level, long entry, boolean page) {
        long reserved = page ? reservedInPage[level] : reservedInTable[level];
        return (entry & reserved) != 0
                || (illegalLow >>> (entry & 7) & 1) != 0
                || page && (legalTypes >>> (entry >>> 3 & 7) & 1) == 0;
    }

    /** Bits of an entry that refers to a table as software usually leaves it: present, readable, used before if {@code flags}. */
    long usual(boolean flags) {
        return present & -present | (flags ? accessed : 0);
    }

    /** The bits of an entry of {@code level} by which one with the bits {@code usual} is known to refer to a table, and to be well-formed. */
    long usualMask(int level, long usual) {
        return usual | pageBit | reservedInTable[level];
    }

    /** Bits of an entry of {@code level} that maps a page as software usually leaves it; {@link #NONE} where no entry maps a page. */
    long usualPage(int level, long usual) {
        return !mapsPage[level] ? NONE : usual | (level == 1 ? 0 : pageBit) | (hasTypes() ? WRITE_BACK : 0);
    }

    /** The bits by which an entry with the bits {@link #usualPage} is known to map a page, and to be well-formed. */
    long usualPageMask(int level, long usual) {
        return usual | reservedInPage[level] | (level == 1 ? 0 : pageBit) | (hasTypes() ? TYPE : 0);
    }

    private boolean hasTypes() {
        return legalTypes != ANY_TYPE;
    }

    /** First byte of the page that {@code entry} of {@code level} maps. */
    long page(int level, long entry) {
        long base = entry & address & -1L << shift[level];
        return level == 1 ? base : base | (entry & highAddress) << 19;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String entryName(int level) {
        return rows[level - 1].name;
    }

    @Override
    public String decode(int level, long entry) {
        if ((entry & present) == 0) {
            return "not present";
        }
        boolean isPage = isPage(level, entry);
        long target = isPage ? page(level, entry) : entry & address;
        String what = isPage ? EntryNames.size(shift[level]) + " page" : "table";
        String flaw = malformed(level, entry, isPage) ? " (reserved bits or a combination that is ruled out)" : "";
        return String.format("%s at 0x%x%s%s", what, target, names.of(entry, isPage, level > 1), flaw);
    }

    /** Bits {@code high}:{@code low}, all ones; none if {@code high} is below {@code low}. */
    static long bits(int high, int low) {
        return high < low ? 0 : -1L >>> 63 - high & -1L << low;
    }
}
