package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.TableNode.WRITABLE;
import static org.penumbra.experiments.guest.TableNode.frame;

import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.StepBuffer;

/** What the kernel does to many pages of an {@link AddressSpace} at once. The same rules hold for its methods. */
final class AddressRanges {
    /** Linux flushes a range by INVLPG up to this many pages, {@code tlb_single_page_flush_ceiling}, by MOV CR3 above. */
    static final int FLUSH_CEILING = 33;

    private final AddressSpace space;
    private final FrameAllocator frames;
    private final TableFormat format;
    private final long[] flush = new long[FLUSH_CEILING];
    private int flushes;
    /** The processor must load what it holds in registers. */
    private boolean reload;

    AddressRanges(AddressSpace space) {
        this.space = space;
        this.frames = space.frames;
        this.format = space.layout.tables;
    }

    /** Shares this address space's pages with {@code child}, which is empty. Linux: {@code copy_page_range}. The caller flushes. */
    void copyTo(AddressSpace child, StepBuffer out) {
        copy(space.root, child.root, child, out);
    }

    private void copy(TableNode from, TableNode to, AddressSpace child, StepBuffer out) {
        for (int i = 0; i < userEntries(from); i++) {
            if (from.maps(i)) {
                share(from, to, i, out);
            } else if (from.level > 1 && from.child[i] != null) {
                space.load(from, i, out);
                copy(from.child[i], child.link(to, i, out), child, out);
            }
        }
    }

    private void share(TableNode from, TableNode to, int i, StepBuffer out) {
        if ((from.leaf[i] & WRITABLE) != 0) {
            space.update(from, i, UpdateFunction.AND, ~Pte.W, out);
        } else {
            space.load(from, i, out);
        }
        out.andAccumulator(~(Pte.W | Pte.A));
        space.storeAccumulator(to, i, out);
        long page = frame(from.leaf[i]);
        frames.share(page, from.framesPerPage());
        from.leaf[i] = page;
        to.leaf[i] = page;
        to.used++;
    }

    /** Removes the pages in {@code [start, end)}, and the tables that are empty then; flushes; frees. Linux: {@code unmap_region}. */
    void unmap(long start, long end, StepBuffer out) {
        flushes = 0;
        unmap(space.root, start, end, out);
        flush(out);
    }

    private void unmap(TableNode table, long start, long end, StepBuffer out) {
        for (int i = table.index(start), last = table.index(end - 1); i <= last; i++) {
            long base = base(table, start, i);
            if (splitIfPartial(table, i, base, start, end, out)) {
                space.update(table, i, UpdateFunction.EXCHANGE, 0, out);
                flushLater(base);
                removePage(table, i);
            } else if (table.level > 1 && table.child[i] != null) {
                space.load(table, i, out);
                unmap(table.child[i], Math.max(start, base), Math.min(end, base + table.span()), out);
                if (table.child[i].used == 0) {
                    space.store(table, i, 0, out);
                    reload |= format.heldInRegisters(table.level);
                    removeTable(table, i);
                }
            }
        }
    }

    /**
     * Takes away or allows writing of the pages in {@code [start, end)}. Newly allowed writes still fault once, because a page
     * may be shared. Linux: {@code change_protection}.
     */
    void protect(long start, long end, boolean write, StepBuffer out) {
        if (!write) {
            flushes = 0;
            forbid(space.root, start, end, out);
            flush(out);
        }
    }

    private void forbid(TableNode table, long start, long end, StepBuffer out) {
        for (int i = table.index(start), last = table.index(end - 1); i <= last; i++) {
            long base = base(table, start, i);
            if (splitIfPartial(table, i, base, start, end, out)) {
                if ((table.leaf[i] & WRITABLE) != 0) {
                    space.update(table, i, UpdateFunction.EXCHANGE, 0, out);
                    out.andAccumulator(~Pte.W);
                    space.storeAccumulator(table, i, out);
                    table.leaf[i] &= ~WRITABLE;
                    flushLater(base);
                }
            } else if (table.level > 1 && table.child[i] != null) {
                space.load(table, i, out);
                forbid(table.child[i], Math.max(start, base), Math.min(end, base + table.span()), out);
            }
        }
    }

    void age(StepBuffer out) {
        age(space.root, out);
    }

    private void age(TableNode table, StepBuffer out) {
        for (int i = 0; i < userEntries(table); i++) {
            if (table.maps(i)) {
                space.update(table, i, UpdateFunction.AND, ~Pte.A, out);
            } else if (table.level > 1 && table.child[i] != null) {
                space.load(table, i, out);
                age(table.child[i], out);
            }
        }
    }

    /** The first address of entry {@code i} of a table whose part from {@code start} on is walked. */
    private static long base(TableNode table, long start, int i) {
        return (start & -table.span()) + (i - table.index(start)) * table.span();
    }

    /** True if entry {@code i}, at {@code base}, maps a page that lies in the range; a page that lies there in part is split. */
    private boolean splitIfPartial(TableNode table, int i, long base, long start, long end, StepBuffer out) {
        if (!table.maps(i)) {
            return false;
        }
        if (base >= start && base + table.span() <= end) {
            return true;
        }
        space.split(table, i, base, out);
        return false;
    }

    void clear(StepBuffer out) {
        clear(space.root, out);
    }

    private void clear(TableNode table, StepBuffer out) {
        for (int i = 0; i < userEntries(table); i++) {
            if (table.maps(i)) {
                space.load(table, i, out);
                space.store(table, i, 0, out);
                removePage(table, i);
            } else if (table.level > 1 && table.child[i] != null) {
                clear(table.child[i], out);
                space.store(table, i, 0, out);
                removeTable(table, i);
            }
        }
    }

    private int userEntries(TableNode table) {
        return table.level == format.levels ? table.index(space.layout.userEnd - 1) + 1 : format.entries(table.level);
    }

    private void removePage(TableNode table, int i) {
        frames.release(frame(table.leaf[i]), table.framesPerPage());
        table.leaf[i] = 0;
        table.used--;
    }

    private void removeTable(TableNode table, int i) {
        frames.release(table.child[i].gpa);
        table.child[i] = null;
        table.used--;
    }

    private void flushLater(long gva) {
        if (flushes < FLUSH_CEILING) {
            flush[flushes] = gva;
        }
        flushes++;
    }

    private void flush(StepBuffer out) {
        if (flushes > FLUSH_CEILING || reload) {
            out.movToCr3(space.cr3());
            reload = false;
        } else {
            for (int i = 0; i < flushes; i++) {
                out.invlpg(flush[i]);
            }
        }
    }
}
