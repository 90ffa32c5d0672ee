package org.penumbra.testkit.lattice;

import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.reference.TableFormat;

/**
 * Where things lie in the lattice's guest: one chain of tables that translates {@link #gva}, a page for every leaf size, and a window
 * of supervisor pages, always readable and writable, through which the guest edits the chain and looks at the pages. Immutable.
 *
 * <pre>
 *  gpa 0x100000 + level * 0x1000   the tables of the chain; the top one serves the window, too
 *      0x110000 + level * 0x1000   the window's own tables below the top
 *      0x120000                    PAE: the four PDPTEs
 *      0x200000, 0x201000          4 KiB pages
 *      0x800000, 0xc00000          2 MiB and 4 MiB pages
 *      0                           1 GiB page
 * </pre>
 *
 * Two pages of a size, so that a translation of the entry before leads to another place.
 */
final class Layout {
    static final long MEMORY = 64L << 20;
    static final long PDPTES = 0x12_0000;

    private static final long TABLES = 0x10_0000;
    private static final long WINDOW_TABLES = 0x11_0000;
    private static final long PAGE = 0x1000;
    private static final long LOW_30 = 0x0221_33a8;
    private static final long[] PAGES_4K = {0x20_0000, 0x20_1000};
    private static final long[] PAGES_LARGE = {0x80_0000, 0xc0_0000};

    final PagingMode mode;
    /** Levels of tables in memory. */
    final int levels;
    /** The address under test. */
    final long gva;
    /** Bytes of an entry. */
    final int entryBytes;
    /** Bytes of a data access. */
    final int wordBytes;
    private final TableFormat format;
    private final long window;
    /** What the window shows, page by page: tables of the chain, then the pages of data, then the PDPTEs. */
    private final long[] shown;
    /** Where {@link #gva} leads by each leaf: the words whose contents are known. */
    private final long[] words;

    Layout(PagingMode mode) {
        this.mode = mode;
        format = TableFormat.of(mode);
        levels = format == null ? 0 : format.levels();
        entryBytes = format == null ? 0 : format.entryBytes();
        wordBytes = mode.isLong() ? 8 : 4;
        gva = switch (mode) {
            case NONE, BITS_32, PAE -> 0x4000_0000L | LOW_30;
            case FOUR_LEVEL -> 9L << 39 | 5L << 30 | LOW_30;
            case FIVE_LEVEL -> 3L << 48 | 9L << 39 | 5L << 30 | LOW_30;
        };
        window = switch (mode) {
            case NONE -> 0;
            case BITS_32, PAE -> 0xc000_0000L;
            case FOUR_LEVEL -> 0xffff_8000_0000_0000L;
            case FIVE_LEVEL -> 0xff00_0000_0000_0000L;
        };
        words = wordsOfPages();
        shown = new long[levels + words.length + 1];
        for (int l = 1; l <= levels; l++) {
            shown[l - 1] = table(l);
        }
        for (int i = 0; i < words.length; i++) {
            shown[levels + i] = words[i] & -PAGE;
        }
        shown[levels + words.length] = PDPTES;
    }

    private long[] wordsOfPages() {
        long[] all = new long[mode.isLong() ? 5 : 4];
        for (int i = 0; i < 2; i++) {
            all[i] = page(1, i) | gva & pageBytes(1) - 1;
            all[2 + i] = page(2, i) | gva & pageBytes(2) - 1;
        }
        if (all.length == 5) {
            all[4] = gva & pageBytes(3) - 1;
        }
        return all;
    }

    /** The words whose contents are known, by gpa. */
    long[] words() {
        return words.clone();
    }

    /** The gpa of the first byte of page {@code which} (0 or 1) for leaves of {@code level}; of 1 GiB there is one. */
    long page(int level, int which) {
        return level == 1 ? PAGES_4K[which] : level == 2 ? PAGES_LARGE[which] : 0;
    }

    /** The gpa of the table of the chain at {@code level}, whose entry translates. */
    long table(int level) {
        return TABLES + level * PAGE;
    }

    /** The gpa of the entry of the chain at {@code level}. */
    long entry(int level) {
        return table(level) + (long) format.index(gva, level) * entryBytes;
    }

    /** Bytes that an entry of {@code level} maps. */
    long pageBytes(int level) {
        return 1L << (format == null ? TableFormat.FOUR_LEVEL : format).shift(level);
    }

    /** The linear address at which the window shows {@code gpa}. */
    long shown(long gpa) {
        if (mode == PagingMode.NONE) {
            return gpa;
        }
        for (int i = 0; i < shown.length; i++) {
            if (shown[i] == (gpa & -PAGE)) {
                return window + i * PAGE | gpa & PAGE - 1;
            }
        }
        throw new IllegalArgumentException(String.format("the window does not show gpa 0x%x", gpa));
    }

    /** CR3 for these tables. */
    long cr3() {
        return mode == PagingMode.NONE ? 0 : mode == PagingMode.PAE ? PDPTES : table(levels);
    }

    /** The PDPTE registers' contents, or what else is in memory at {@link #PDPTES}. */
    long[] pdptes() {
        long[] all = new long[4];
        all[(int) (gva >>> 30) & 3] = table(2) | EntryBits.P;
        all[(int) (window >>> 30) & 3] = windowTable(2) | EntryBits.P;
        return all;
    }

    /** Writes the window's tables, every entry with the bits {@code present}. The entries of the chain are left empty. */
    void loadWindow(GuestBoot.Loader memory, long present) {
        for (int l = levels; l >= 1; l--) {
            boolean shared = l == levels && mode != PagingMode.PAE;
            long[] table = new long[512];
            if (l > 1) {
                put(table, format.index(window, l), windowTable(l - 1) | present);
            } else {
                for (int i = 0; i < shown.length; i++) {
                    put(table, format.index(window, 1) + i, shown[i] | present);
                }
            }
            long at = shared ? table(l) : windowTable(l);
            for (int i = 0; i < table.length; i++) {
                if (table[i] != 0) {
                    memory.store64(at + 8L * i, table[i]);
                }
            }
        }
    }

    private static long windowTable(int level) {
        return WINDOW_TABLES + level * PAGE;
    }

    private void put(long[] table, int index, long entry) {
        if (entryBytes == 8) {
            table[index] = entry;
        } else {
            table[index >> 1] |= entry << 32 * (index & 1);
        }
    }
}
