package org.penumbra.experiments.guest;

import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/**
 * Shadow paging by a hypervisor that is a guest, in its simplest form: tables that hold what a TLB of its guest's would, filled at page
 * faults by a walk of the guest's tables, emptied when the guest loads CR3 (SDM vol. 3, "Details of Virtual TLB Operation":
 * a virtual TLB). For guests with 4-level paging.
 */
final class VirtualTlb implements HypervisorMmu {
    private static final int LEVELS = 4;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private static final long TABLE = Pte.P | Pte.W | Pte.U | Pte.A | Pte.D;

    private enum Reading { ERROR_CODE, ADDRESS, ENTRY, NEXT }

    private final ControlBlock control;
    private final HypervisorTables tables;
    private final GuestLayout layout;
    private final long base;
    private final PagingState initial;
    private final GuestState guest;
    private long cr3;

    private Reading reading;
    private int errorCode;
    private long gva;
    private int level;
    private long table;
    /** The entries of the walk, by level, and what they have in common. */
    private final long[] entries = new long[LEVELS + 1];
    private final long[] entriesAt = new long[LEVELS + 1];
    private long rights;
    private boolean noExecute;

    /**
     * @param base gpa at which the guest's address 0 lies
     * @param initial the guest's registers at its start
     * @param guest whose operands the hypervisor decodes
     */
    VirtualTlb(ControlBlock control, FrameAllocator frames, GuestLayout layout, long base, PagingState initial, GuestState guest) {
        this.control = control;
        this.tables = new HypervisorTables(frames, layout, TABLE);
        this.layout = layout;
        this.base = base;
        this.initial = initial;
        this.guest = guest;
    }

    @Override
    public void start(StepBuffer out) {
        cr3 = initial.cr3();
        control.useShadows(tables.begin(out), initial, out);
    }

    @Override
    public boolean begin(ControlBlock.Exit exit, StepBuffer out) {
        switch (exit) {
            case PAGE_FAULT:
                control.readErrorCode(out);
                reading = Reading.ERROR_CODE;
                return true;
            case CR3_LOAD:
                // The source operand, as the instruction at which the guest stands names it; bit 63 asks for less than is done.
                cr3 = guest.steps().value[guest.next] & ~(1L << 63);
                tables.empty(out);
                control.drop(out);
                advance(out);
                return true;
            case INVLPG:
                tables.unmap(guest.steps().address[guest.next], out);
                control.dropPage(guest.steps().address[guest.next], out);
                advance(out);
                return true;
            default:
                return false;
        }
    }

    @Override
    public boolean go(long rax, StepBuffer out) {
        switch (reading) {
            case ERROR_CODE:
                errorCode = (int) rax;
                control.readFaultAddress(out);
                reading = Reading.ADDRESS;
                return false;
            case ADDRESS:
                gva = rax;
                level = LEVELS;
                table = cr3 & ADDRESS;
                rights = Pte.W | Pte.U;
                noExecute = false;
                read(out);
                return false;
            case ENTRY:
                return walked(rax, out);
            default:
                control.writeNext(rax + 1, out);
                return true;
        }
    }

    /** Has the guest go on behind the instruction that exited, whose length is 1. */
    private void advance(StepBuffer out) {
        control.readNext(out);
        reading = Reading.NEXT;
    }

    /** Reads the guest's entry of {@link #level}. */
    private void read(StepBuffer out) {
        entriesAt[level] = layout.direct(base + table + 8 * HypervisorTables.index(gva, level));
        out.loadEntry(entriesAt[level], 8);
        reading = Reading.ENTRY;
    }

    /** The guest's entry of {@link #level} is {@code entry}. */
    private boolean walked(long entry, StepBuffer out) {
        entries[level] = entry;
        if ((entry & Pte.P) == 0) {
            return inject(0, out);
        }
        rights &= entry;
        noExecute |= (entry & Pte.NX) != 0;
        if (level > 1 && (entry & Pte.PS) == 0) {
            table = entry & ADDRESS;
            level--;
            read(out);
            return false;
        }
        boolean write = (errorCode & PageFaultError.WRITE) != 0;
        boolean user = (errorCode & PageFaultError.USER) != 0;
        boolean fetch = (errorCode & PageFaultError.FETCH) != 0;
        boolean smep = fetch && !user && (rights & Pte.U) != 0;
        if (write && (rights & Pte.W) == 0 || user && (rights & Pte.U) == 0 || fetch && noExecute || smep) {
            return inject(PageFaultError.PRESENT, out);
        }
        fill(write, out);
        return true;
    }

    private boolean inject(int present, StepBuffer out) {
        int code = errorCode & (PageFaultError.WRITE | PageFaultError.USER | PageFaultError.FETCH) | present;
        control.injectPageFault(code, gva, out);
        return true;
    }

    /** Sets the guest's accessed and dirty flags, and puts the translation into the virtual TLB; it may be written once it is dirty. */
    private void fill(boolean write, StepBuffer out) {
        for (int l = LEVELS; l >= level; l--) {
            long flags = Pte.A | (write && l == level ? Pte.D : 0);
            if ((entries[l] & flags) != flags) {
                out.updateEntry(entriesAt[l], 8, UpdateFunction.OR, flags);
                entries[l] |= flags;
            }
        }
        long page = base + HypervisorTables.page(entries[level] & ADDRESS, level);
        long writable = (entries[level] & Pte.D) != 0 ? rights & Pte.W : 0;
        long bits = Pte.P | Pte.A | Pte.D | writable | rights & Pte.U | (noExecute ? Pte.NX : 0) | (level > 1 ? Pte.PS : 0);
        if (tables.map(gva, level, page | bits, out)) {
            control.drop(out);
        }
    }
}
