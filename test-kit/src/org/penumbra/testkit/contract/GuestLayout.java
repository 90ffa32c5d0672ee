package org.penumbra.testkit.contract;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.testkit.reference.TableFormat;

/**
 * Where things lie in a random guest. Few frames and few entries of each table are in play, so that chance meets the same ones over and
 * over. Any frame of the pool may be a table of any level, a page, or both; every address that an entry in play can hold, even one that
 * was read as an entry of another level, leads into memory or has a reserved bit set. Immutable.
 *
 * <pre>
 *  region r (2 MiB; 4 MiB under 32-bit paging), r = 0 … 3, frames 0 … 5 of it
 *      region 0: frames 0, 1 pool, others pages      regions 1, 2: pool      region 3: pages
 *  0xf00000    PAE: the PDPTEs of four address spaces
 *  0x1800000   the window's tables, by level from the leaf; those of leaves behind them
 *  window      16 MiB from gpa 0 by 4 KiB pages, then once more by large ones: supervisor, always readable and writable
 * </pre>
 */
final class GuestLayout {
    static final long MEMORY = 32L << 20;
    static final long PAGE = 0x1000;
    /** Entries of a leaf table that are in play, and frames of a region. */
    static final int LEAF_ENTRIES = 6;
    static final int REGIONS = 4;
    /** Address spaces under PAE paging. */
    static final int PDPTS = 4;

    private static final long SHOWN = 16L << 20;
    private static final long PDPT_AREA = 0xf0_0000;
    private static final long WINDOW_TABLES = 0x180_0000;
    private static final long LEAF_TABLES = 0x181_0000;

    final PagingMode mode;
    /** Null without paging. */
    final TableFormat format;
    /** Levels of tables in memory; 0 without paging. */
    final int levels;
    final int entryBytes;
    /** Frames that may be tables, and frames that are pages. */
    final long[] pool;
    final long[] pages;
    private final long regionBytes;
    private final long window;

    GuestLayout(PagingMode mode) {
        this.mode = mode;
        format = TableFormat.of(mode);
        levels = mode.levels();
        entryBytes = format == null ? 8 : format.entryBytes();
        regionBytes = mode == PagingMode.BITS_32 ? 4 << 20 : 2 << 20;
        window = switch (mode) {
            case NONE -> 0;
            case BITS_32, PAE -> 0xc000_0000L;
            case FOUR_LEVEL, FIVE_LEVEL -> -1L << format.shift(levels);
        };
        List<Long> tables = new ArrayList<>();
        List<Long> others = new ArrayList<>();
        for (int r = 0; r < REGIONS; r++) {
            for (int f = 0; f < LEAF_ENTRIES; f++) {
                (r == 1 || r == 2 || r == 0 && f < 2 ? tables : others).add(region(r) + f * PAGE);
            }
        }
        pool = tables.stream().mapToLong(a -> a).toArray();
        pages = others.stream().mapToLong(a -> a).toArray();
    }

    /** The gpa of region {@code r}. */
    long region(int r) {
        return r * regionBytes;
    }

    /** Entries of a table at {@code level} that are in play: the first ones. */
    int entries(int level) {
        return level == 1 ? LEAF_ENTRIES : level == 2 ? REGIONS : level == 3 && mode == PagingMode.PAE ? 3 : 2;
    }

    /** The highest level whose index is in an address: with PAE paging that of the PDPTE registers. */
    int top() {
        return mode == PagingMode.PAE ? 3 : levels;
    }

    /** log2 of the bytes that an entry at {@code level} maps. */
    int shift(int level) {
        return level == 3 && mode == PagingMode.PAE ? 30 : format.shift(level);
    }

    /** Where the window shows {@code gpa}, by a 4 KiB page or by a large one. */
    long shown(long gpa, boolean large) {
        return window + gpa + (large && format != null ? SHOWN : 0);
    }

    /** True if {@code gva} is an address of the window: an access there never faults. */
    boolean inWindow(long gva) {
        return gva - window >= 0 && gva - window < 2 * SHOWN;
    }

    /** The gpa of the PDPTEs of address space {@code n}. */
    static long pdpt(int n) {
        return PDPT_AREA + 32L * n;
    }

    /** The PDPTE that shows the window. */
    long windowPdpte() {
        return windowTable(2) | P;
    }

    /** What every top-level table has, as pairs of index and entry. */
    long[][] windowEntries() {
        switch (mode) {
            case BITS_32: {
                long[][] entries = new long[8][];
                for (int i = 0; i < 4; i++) {
                    entries[i] = new long[] {0x300 + i, LEAF_TABLES + i * PAGE | P | RW | A};
                    entries[4 + i] = new long[] {0x304 + i, region(i) | P | RW | A | D | PS};
                }
                return entries;
            }
            case FOUR_LEVEL, FIVE_LEVEL:
                return new long[][] {{511, windowTable(levels - 1) | P | RW | A}};
            default:
                return new long[0][];
        }
    }

    private static long windowTable(int level) {
        return WINDOW_TABLES + level * PAGE;
    }

    /** Writes the window's tables below the top one. */
    void loadWindow(GuestBoot.Loader memory) {
        if (format == null) {
            return;
        }
        for (int i = 0; i < SHOWN / PAGE; i += 8 / entryBytes) {
            memory.store64(LEAF_TABLES + (long) i * entryBytes, leaf(i) | (entryBytes == 4 ? leaf(i + 1) << 32 : 0));
        }
        if (mode == PagingMode.BITS_32) {
            return;
        }
        for (int i = 0; i < 8; i++) {
            memory.store64(windowTable(2) + 8L * i, LEAF_TABLES + i * PAGE | P | RW | A);
            memory.store64(windowTable(2) + 8L * (8 + i), ((long) i << 21) | P | RW | A | D | PS);
        }
        for (int level = 3; level < levels; level++) {
            memory.store64(windowTable(level), windowTable(level - 1) | P | RW | A);
        }
    }

    private static long leaf(int i) {
        return i * PAGE | P | RW | A | D;
    }

    /** Puts {@code entry} at {@code index} into a table, given as its 8-byte words. */
    void put(long[] words, int index, long entry) {
        if (entryBytes == 8) {
            words[index] = entry;
        } else {
            words[index >> 1] |= entry << 32 * (index & 1);
        }
    }

    /** Tells every frame that holds a table of the window, in which processors set flags. */
    void windowFrames(LongConsumer gpas) {
        for (int level = 2; level < levels || level == 2; level++) {
            gpas.accept(windowTable(level));
        }
        for (long i = 0; i < 8; i++) {
            gpas.accept(LEAF_TABLES + i * PAGE);
        }
    }

    /** The registers with which the guest boots, but for CR3. */
    static PagingState state(PagingMode mode) {
        long cr0 = CR0_PE | CR0_WP | (mode == PagingMode.NONE ? 0 : CR0_PG);
        long cr4 = (mode == PagingMode.BITS_32 ? CR4_PSE : 0) | (mode == PagingMode.PAE || mode.isLong() ? CR4_PAE : 0)
                | (mode == PagingMode.FIVE_LEVEL ? CR4_LA57 : 0);
        long efer = EFER_NXE | (mode.isLong() ? EFER_LME | EFER_LMA : 0);
        return new PagingState(cr0, 0, cr4, efer, 0, 0, Pdptes.NONE);
    }
}
