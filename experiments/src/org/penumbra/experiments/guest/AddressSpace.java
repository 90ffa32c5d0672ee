package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;
import static org.penumbra.experiments.guest.TableNode.WRITABLE;
import static org.penumbra.experiments.guest.TableNode.frame;

import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.StepBuffer;

/**
 * The user half of one process's translation tables, page by page; {@link AddressRanges} does the rest. The kernel reads and changes
 * the tables through its direct map, in the order in which Linux does it.
 */
final class AddressSpace implements ProcessMemory {
    final FrameAllocator frames;
    final GuestLayout layout;
    final TableNode root;
    private final TableFormat format;
    private final BootTables kernelHalf;
    private final int pcid;
    private final AddressRanges ranges;

    /** An empty user half under a new root that shares {@code kernelHalf}; {@code pcid} is 0 without PCIDs. */
    AddressSpace(FrameAllocator frames, GuestLayout layout, BootTables kernelHalf, int pcid, StepBuffer out) {
        this.frames = frames;
        this.layout = layout;
        this.format = layout.tables;
        this.kernelHalf = kernelHalf;
        this.pcid = pcid;
        this.root = new TableNode(layout, format.root(zeroed(out)), format.levels);
        TableNode boot = new TableNode(layout, kernelHalf.root(), format.levels);
        for (int slot : kernelHalf.sharedEntries()) {
            out.loadEntry(boot.entry(slot), format.entryBytes);
            out.storeAccumulator(root.entry(slot), format.entryBytes);
        }
        this.ranges = new AddressRanges(this);
    }

    @Override
    public long cr3() {
        return root.gpa | pcid;
    }

    @Override
    public void place(StepBuffer steps) {
        // Translation does that.
    }

    @Override
    public void map(Vma vma, StepBuffer out) {
        // Pages come when they are touched.
    }

    /** A page that is as it should be already (another reason for the fault, such as a stale TLB entry) is left alone. */
    @Override
    public void touch(long gva, boolean write, Vma vma, StepBuffer out) {
        TableNode directory = root;
        while (directory.level > 2) {
            int i = directory.index(gva);
            load(directory, i, out);
            directory = directory.child[i] != null ? directory.child[i] : linkUsed(directory, i, out);
        }
        int i = directory.index(gva);
        load(directory, i, out);
        if (directory.maps(i)) {
            if (!write || (directory.leaf[i] & WRITABLE) != 0) {
                return;
            }
            if (reuse(directory, i, out)) {
                return;
            }
            split(directory, i, gva, out);
        } else if (directory.child[i] == null && vma.hasLargePage(gva, format.largePage()) && provideLarge(directory, i, gva, write, vma, out)) {
            return;
        }
        TableNode table = directory.child[i] != null ? directory.child[i] : link(directory, i, out);
        touchSmall(table, table.index(gva), gva, write, vma, out);
    }

    private void touchSmall(TableNode table, int i, long gva, boolean write, Vma vma, StepBuffer out) {
        load(table, i, out);
        if (!table.maps(i)) {
            layout.execute(GuestLayout.ALLOCATOR, out);
            long page = frames.allocate();
            out.store(layout.direct(page), (int) PAGE, vma.contents().word(gva));
            store(table, i, page | rights(vma, vma.write(), write), out);
            mapped(table, i, page, vma.write());
        } else if (write && (table.leaf[i] & WRITABLE) == 0 && !reuse(table, i, out)) {
            copy(table, i, gva, vma, out);
        }
    }

    /** Linux: {@code do_huge_pmd_anonymous_page}. False if there is no block: then small pages do. */
    private boolean provideLarge(TableNode directory, int i, long gva, boolean write, Vma vma, StepBuffer out) {
        layout.execute(GuestLayout.ALLOCATOR, out);
        long block = frames.allocateBlock();
        if (block == 0) {
            return false;
        }
        long bytes = format.largePage();
        for (long offset = 0; offset < bytes; offset += PAGE) {
            out.store(layout.direct(block) + offset, (int) PAGE, vma.contents().word((gva & -bytes) + offset));
        }
        store(directory, i, block | Pte.PS | rights(vma, vma.write(), write), out);
        mapped(directory, i, block, vma.write());
        return true;
    }

    /** Gives a page that only this process still uses back its right to write. Linux: {@code wp_page_reuse}. */
    private boolean reuse(TableNode table, int i, StepBuffer out) {
        if (!frames.exclusive(frame(table.leaf[i]), table.framesPerPage())) {
            return false;
        }
        // More rights need no flush: the fault itself dropped what the TLB held for the address.
        load(table, i, out);
        out.orAccumulator(Pte.W | Pte.D | Pte.A);
        storeAccumulator(table, i, out);
        table.leaf[i] |= WRITABLE;
        return true;
    }

    /** Linux: {@code wp_page_copy}. */
    private void copy(TableNode table, int i, long gva, Vma vma, StepBuffer out) {
        long old = frame(table.leaf[i]);
        layout.execute(GuestLayout.ALLOCATOR, out);
        long page = frames.allocate();
        for (int offset = 0; offset < PAGE; offset += 8) {
            out.load(layout.direct(old) + offset, 8);
            out.storeAccumulator(layout.direct(page) + offset, 8);
        }
        update(table, i, UpdateFunction.EXCHANGE, 0, out);
        out.invlpg(gva & -PAGE);
        store(table, i, page | rights(vma, true, true), out);
        table.leaf[i] = page | WRITABLE;
        frames.release(old);
    }

    /** Replaces the large page of {@code gva} by a table of small ones with the same frames and rights. Linux: {@code __split_huge_pmd}. */
    void split(TableNode directory, int i, long gva, StepBuffer out) {
        long block = frame(directory.leaf[i]);
        long writable = directory.leaf[i] & WRITABLE;
        TableNode table = new TableNode(layout, zeroed(out), 1);
        update(directory, i, UpdateFunction.AND, ~Pte.P, out);
        out.invlpg(gva & -format.largePage());
        out.andAccumulator(~Pte.PS);
        storeAccumulator(table, 0, out);
        table.leaf[0] = block | writable;
        table.used = format.entries(1);
        for (int k = 1; k < table.used; k++) {
            load(table, 0, out);
            out.orAccumulator(k * PAGE);
            storeAccumulator(table, k, out);
            table.leaf[k] = block + k * PAGE | writable;
        }
        store(directory, i, format.link(table.gpa, 2, Pte.USER_TABLE), out);
        directory.leaf[i] = 0;
        directory.child[i] = table;
    }

    private long rights(Vma vma, boolean writable, boolean dirty) {
        return Pte.P | Pte.U | Pte.A | (writable ? Pte.W : 0) | (dirty ? Pte.D : 0) | (vma.execute() ? 0 : format.noExecute);
    }

    private static void mapped(TableNode table, int i, long page, boolean writable) {
        table.leaf[i] = page | (writable ? WRITABLE : 0);
        table.used++;
    }

    /** Adds an empty table below entry {@code i} of a table that is not in use. */
    TableNode link(TableNode table, int i, StepBuffer out) {
        TableNode below = new TableNode(layout, zeroed(out), table.level - 1);
        store(table, i, format.link(below.gpa, table.level, Pte.USER_TABLE), out);
        table.child[i] = below;
        table.used++;
        return below;
    }

    /** The same in the tables that are in use. Linux: {@code pud_populate}, which reloads CR3 for a PDPTE. */
    private TableNode linkUsed(TableNode table, int i, StepBuffer out) {
        TableNode below = link(table, i, out);
        if (format.heldInRegisters(table.level)) {
            out.movToCr3(cr3());
        }
        return below;
    }

    private long zeroed(StepBuffer out) {
        layout.execute(GuestLayout.ALLOCATOR, out);
        long page = frames.allocate();
        out.store(layout.direct(page), (int) PAGE, 0);
        return page;
    }

    /** Steps on entry {@code i} of {@code table}, as wide as an entry is. */
    void load(TableNode table, int i, StepBuffer out) {
        out.loadEntry(table.entry(i), format.entryBytes);
    }

    void store(TableNode table, int i, long entry, StepBuffer out) {
        out.store(table.entry(i), format.entryBytes, entry);
    }

    void storeAccumulator(TableNode table, int i, StepBuffer out) {
        out.storeAccumulator(table.entry(i), format.entryBytes);
    }

    void update(TableNode table, int i, int function, long operand, StepBuffer out) {
        out.updateEntry(table.entry(i), format.entryBytes, function, operand);
    }

    @Override
    public void unmap(long start, long end, StepBuffer out) {
        ranges.unmap(start, end, out);
    }

    @Override
    public void protect(long start, long end, boolean write, StepBuffer out) {
        ranges.protect(start, end, write, out);
    }

    @Override
    public void age(StepBuffer out) {
        ranges.age(out);
    }

    /** Pages are shared, and read-only on both sides until one of them writes. */
    @Override
    public AddressSpace fork(int childPcid, StepBuffer out) {
        AddressSpace child = new AddressSpace(frames, layout, kernelHalf, childPcid, out);
        ranges.copyTo(child, out);
        // The parent lost its right to write; stale entries in the TLB would still allow it.
        out.movToCr3(cr3());
        return child;
    }

    /** Removes everything but the root, which the processor may still use. Linux: {@code exit_mmap}. */
    @Override
    public void clear(StepBuffer out) {
        ranges.clear(out);
    }

    @Override
    public void free() {
        frames.release(frame(root.gpa));
    }
}
