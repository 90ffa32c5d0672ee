package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.LARGE_PAGE;
import static org.penumbra.experiments.guest.GuestLayout.PAGE;
import static org.penumbra.experiments.guest.GuestLayout.direct;
import static org.penumbra.experiments.guest.GuestLayout.index;
import static org.penumbra.experiments.guest.TableNode.WRITABLE;
import static org.penumbra.experiments.guest.TableNode.frame;

import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.StepBuffer;

/**
 * The user half of one process's translation tables, page by page; {@link AddressRanges} does the rest. Every method appends the
 * steps by which the kernel, at CPL 0, reads and changes the tables through its direct map, in the order in which Linux does it;
 * nothing here touches guest memory by itself. A method's steps must execute before those of the next call on any address space,
 * because frames that it frees may be handed out again by then.
 */
final class AddressSpace {
    final FrameAllocator frames;
    final TableNode root;
    private int pcid;

    /** An empty user half under a new root that shares the kernel half of {@code kernelRoot}. */
    AddressSpace(FrameAllocator frames, long kernelRoot, StepBuffer out) {
        this.frames = frames;
        this.root = new TableNode(zeroed(out), 4);
        for (int slot = GuestLayout.DIRECT_MAP_SLOT; slot <= GuestLayout.index(direct(frames.end() - 1), 4); slot++) {
            share(kernelRoot, slot, out);
        }
        share(kernelRoot, GuestLayout.TEXT_SLOT, out);
    }

    private void share(long kernelRoot, int slot, StepBuffer out) {
        out.loadEntry(direct(kernelRoot) + 8L * slot);
        out.storeAccumulator(root.entry(slot), 8);
    }

    /** The value for CR3, which flushes. */
    long cr3() {
        return root.gpa | pcid;
    }

    /** From now on {@link #cr3} carries {@code identifier}, a PCID; it carries 0 before. */
    void usePcid(int identifier) {
        pcid = identifier;
    }

    /**
     * Makes the page of {@code gva} present, and writable if {@code write}, as {@code vma} allows. A page that is so already
     * (another reason for the fault, such as a stale TLB entry) is left alone.
     */
    void touch(long gva, boolean write, Vma vma, StepBuffer out) {
        TableNode directory = root;
        while (directory.level > 2) {
            int i = index(gva, directory.level);
            out.loadEntry(directory.entry(i));
            directory = directory.child[i] != null ? directory.child[i] : link(directory, i, out);
        }
        int i = index(gva, 2);
        out.loadEntry(directory.entry(i));
        if (directory.maps(i)) {
            if (!write || (directory.leaf[i] & WRITABLE) != 0) {
                return;
            }
            if (reuse(directory, i, out)) {
                return;
            }
            split(directory, i, gva, out);
        } else if (directory.child[i] == null && vma.hasLargePage(gva) && provideLarge(directory, i, gva, write, vma, out)) {
            return;
        }
        TableNode table = directory.child[i] != null ? directory.child[i] : link(directory, i, out);
        touchSmall(table, index(gva, 1), gva, write, vma, out);
    }

    private void touchSmall(TableNode table, int i, long gva, boolean write, Vma vma, StepBuffer out) {
        out.loadEntry(table.entry(i));
        if (!table.maps(i)) {
            out.fetch(GuestLayout.ALLOCATOR, 16);
            long page = frames.allocate();
            out.store(direct(page), (int) PAGE, vma.contents().word(gva));
            out.store(table.entry(i), 8, page | rights(vma, vma.write(), write));
            mapped(table, i, page, vma.write());
        } else if (write && (table.leaf[i] & WRITABLE) == 0 && !reuse(table, i, out)) {
            copy(table, i, gva, vma, out);
        }
    }

    /** Linux: {@code do_huge_pmd_anonymous_page}. False if there is no block: then small pages do. */
    private boolean provideLarge(TableNode directory, int i, long gva, boolean write, Vma vma, StepBuffer out) {
        out.fetch(GuestLayout.ALLOCATOR, 16);
        long block = frames.allocateBlock();
        if (block == 0) {
            return false;
        }
        for (long offset = 0; offset < LARGE_PAGE; offset += PAGE) {
            out.store(direct(block) + offset, (int) PAGE, vma.contents().word((gva & -LARGE_PAGE) + offset));
        }
        out.store(directory.entry(i), 8, block | Pte.PS | rights(vma, vma.write(), write));
        mapped(directory, i, block, vma.write());
        return true;
    }

    /** Gives a page that only this process still uses back its right to write. Linux: {@code wp_page_reuse}. */
    private boolean reuse(TableNode table, int i, StepBuffer out) {
        if (!frames.exclusive(frame(table.leaf[i]), table.framesPerPage())) {
            return false;
        }
        // More rights need no flush: the fault itself dropped what the TLB held for the address.
        out.loadEntry(table.entry(i));
        out.orAccumulator(Pte.W | Pte.D | Pte.A);
        out.storeAccumulator(table.entry(i), 8);
        table.leaf[i] |= WRITABLE;
        return true;
    }

    /** Linux: {@code wp_page_copy}. */
    private void copy(TableNode table, int i, long gva, Vma vma, StepBuffer out) {
        long old = frame(table.leaf[i]);
        out.fetch(GuestLayout.ALLOCATOR, 16);
        long page = frames.allocate();
        for (int offset = 0; offset < PAGE; offset += 8) {
            out.load(direct(old) + offset, 8);
            out.storeAccumulator(direct(page) + offset, 8);
        }
        out.updateEntry(table.entry(i), UpdateFunction.EXCHANGE, 0);
        out.invlpg(gva & -PAGE);
        out.store(table.entry(i), 8, page | rights(vma, true, true));
        table.leaf[i] = page | WRITABLE;
        frames.release(old);
    }

    /** Replaces the large page of {@code gva} by a table of small ones with the same frames and rights. Linux: {@code __split_huge_pmd}. */
    void split(TableNode directory, int i, long gva, StepBuffer out) {
        long block = frame(directory.leaf[i]);
        long writable = directory.leaf[i] & WRITABLE;
        TableNode table = new TableNode(zeroed(out), 1);
        out.updateEntry(directory.entry(i), UpdateFunction.AND, ~Pte.P);
        out.invlpg(gva & -LARGE_PAGE);
        out.andAccumulator(~Pte.PS);
        out.storeAccumulator(table.entry(0), 8);
        table.leaf[0] = block | writable;
        for (int k = 1; k < 512; k++) {
            out.loadEntry(table.entry(0));
            out.orAccumulator(k * PAGE);
            out.storeAccumulator(table.entry(k), 8);
            table.leaf[k] = block + k * PAGE | writable;
        }
        table.used = 512;
        out.store(directory.entry(i), 8, table.gpa | Pte.USER_TABLE);
        directory.leaf[i] = 0;
        directory.child[i] = table;
    }

    private static long rights(Vma vma, boolean writable, boolean dirty) {
        return Pte.P | Pte.U | Pte.A | (writable ? Pte.W : 0) | (dirty ? Pte.D : 0) | (vma.execute() ? 0 : Pte.NX);
    }

    private static void mapped(TableNode table, int i, long page, boolean writable) {
        table.leaf[i] = page | (writable ? WRITABLE : 0);
        table.used++;
    }

    /** Adds an empty table below entry {@code i}. */
    TableNode link(TableNode table, int i, StepBuffer out) {
        TableNode below = new TableNode(zeroed(out), table.level - 1);
        out.store(table.entry(i), 8, below.gpa | Pte.USER_TABLE);
        table.child[i] = below;
        table.used++;
        return below;
    }

    private long zeroed(StepBuffer out) {
        out.fetch(GuestLayout.ALLOCATOR, 16);
        long page = frames.allocate();
        out.store(direct(page), (int) PAGE, 0);
        return page;
    }
}
