package org.penumbra.experiments.guest;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.penumbra.api.machine.GuestBoot.Loader;
import org.penumbra.api.paging.Pdptes;

/**
 * The kernel half of every address space, as the boot loader leaves it in memory: the direct map and the kernel's text, in large
 * pages. Tables lie one after the other. Immutable once it is made.
 */
final class BootTables {
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    private final TableFormat format;
    private final long start;
    /** Memory from {@link #start} on. */
    private long[] words = new long[0];
    private long end;
    private final long root;

    /** The tables for {@code memoryBytes} of memory. */
    BootTables(GuestLayout layout, long memoryBytes) {
        format = layout.tables;
        start = GuestLayout.bootTables(memoryBytes);
        end = start;
        root = format.root(table());
        long page = format.largePage();
        for (long gpa = 0; gpa < memoryBytes; gpa += page) {
            map(layout.direct(gpa), gpa | Pte.DIRECT_PAGE | format.noExecute);
        }
        long text = GuestLayout.TEXT_GPA & -page;
        // A page that holds more than text stays writable.
        map(layout.text & -page, text | (page > GuestLayout.TEXT_BYTES ? Pte.DIRECT_PAGE : Pte.TEXT_PAGE));
    }

    private void map(long gva, long page) {
        long table = root;
        for (int level = format.levels; level > 2; level--) {
            int i = format.index(gva, level);
            if (get(table, i) == 0) {
                set(table, i, format.link(table(), level, Pte.KERNEL_TABLE));
            }
            table = get(table, i) & ADDRESS;
        }
        set(table, format.index(gva, 2), page);
    }

    /** A table of its own, empty. */
    private long table() {
        long gpa = end;
        end += GuestLayout.PAGE;
        if (word(end) > words.length) {
            words = Arrays.copyOf(words, Math.max(word(end), 2 * words.length));
        }
        return gpa;
    }

    private int word(long gpa) {
        return (int) (gpa - start >>> 3);
    }

    private long get(long table, int i) {
        long at = table + (long) i * format.entryBytes;
        return format.entryBytes == 8 ? words[word(at)] : words[word(at)] >>> 8 * (at & 4) & 0xffff_ffffL;
    }

    private void set(long table, int i, long entry) {
        long at = table + (long) i * format.entryBytes;
        if (format.entryBytes == 8) {
            words[word(at)] = entry;
        } else {
            long low = 8 * (at & 4);
            words[word(at)] = words[word(at)] & ~(0xffff_ffffL << low) | entry << low;
        }
    }

    void write(Loader loader) {
        for (int i = 0; i < words.length; i++) {
            if (words[i] != 0) {
                loader.store64(start + 8L * i, words[i]);
            }
        }
    }

    /** The gpa of the top-level table. */
    long root() {
        return root;
    }

    /** Entries of the top-level table that every process takes over. */
    int[] sharedEntries() {
        return IntStream.range(0, format.entries(format.levels)).filter(i -> get(root, i) != 0).toArray();
    }

    /** What loading CR3 with the root puts into the PDPTE registers. */
    Pdptes pdptes() {
        return format.heldInRegisters(format.levels) ? new Pdptes(get(root, 0), get(root, 1), get(root, 2), get(root, 3)) : Pdptes.NONE;
    }
}
