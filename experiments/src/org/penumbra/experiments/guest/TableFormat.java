package org.penumbra.experiments.guest;

import org.penumbra.api.paging.PagingMode;

/**
 * The translation tables of one paging mode, as the kernel builds them: how many levels, how wide an index and an entry are, which
 * bits an entry has. Level 1 maps 4 KiB pages, level 2 large ones (SDM vol. 3, "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging").
 *
 * <pre>
 *  mode     levels   index bits            entry     large page   execute-disable
 *  32bit    2        10 10                 4 bytes   4 MiB        no
 *  pae      3        2 9 9                 8 bytes   2 MiB        yes
 *  4level   4        9 9 9 9               8 bytes   2 MiB        yes
 *  5level   5        9 9 9 9 9             8 bytes   2 MiB        yes
 * </pre>
 *
 * Of PAE paging the third level is the four PDPTEs, which the processor holds in registers: a change in memory counts from the
 * next MOV to CR3 on.
 */
final class TableFormat {
    /** The table of PDPTEs: its size, and its alignment. */
    private static final int PDPT_BYTES = 32;

    /** Tables between a process's root and its pages, the root included. */
    final int levels;
    final int entryBytes;
    /** {@link Pte#NX} where entries have it, else 0. */
    final long noExecute;
    private final int indexBits;
    private final boolean pdptes;

    TableFormat(PagingMode mode) {
        pdptes = mode == PagingMode.PAE;
        levels = pdptes ? mode.levels() + 1 : mode.levels();
        entryBytes = mode.entryBytes();
        indexBits = entryBytes == 4 ? 10 : 9;
        noExecute = entryBytes == 4 ? 0 : Pte.NX;
    }

    /** Entries of a table of {@code level}. */
    int entries(int level) {
        return heldInRegisters(level) ? 4 : 1 << indexBits;
    }

    /** Index of {@code gva} in its table of {@code level}. */
    int index(long gva, int level) {
        return (int) (gva >>> shift(level)) & entries(level) - 1;
    }

    /** Bytes of address space that an entry of {@code level} stands for. */
    long span(int level) {
        return 1L << shift(level);
    }

    private int shift(int level) {
        return 12 + indexBits * (level - 1);
    }

    long largePage() {
        return span(2);
    }

    /** Frames of 4 KiB of a page that an entry of {@code level} maps. */
    int frames(int level) {
        return level == 1 ? 1 : 1 << indexBits;
    }

    /** True if the processor uses entries of {@code level} as it read them at the last load of CR3. */
    boolean heldInRegisters(int level) {
        return pdptes && level == levels;
    }

    /** Where in {@code frame}, which is all its own, a root lies: PDPTEs not always at its beginning, as in the slab cache that Linux takes them from. */
    long root(long frame) {
        return pdptes ? frame + (frame >>> 12) * PDPT_BYTES % GuestLayout.PAGE : frame;
    }

    /** An entry of {@code level} that leads to {@code table}, with {@code rights} where it has any: a PDPTE has none. */
    long link(long table, int level, long rights) {
        return table | (heldInRegisters(level) ? Pte.P : rights);
    }
}
