package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmxControls;

/**
 * Shadow paging by a hypervisor that is a guest, in its simplest form: tables that hold what a TLB of its guest's would, filled at page
 * faults by a walk of the guest's tables, emptied when the guest loads CR3 (SDM vol. 3, "Details of Virtual TLB Operation":
 * a virtual TLB). For guests with 4-level paging.
 */
final class VirtualTlb implements HypervisorMmu {
    private static final int LEVELS = 4;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private static final long TABLE = Pte.P | Pte.W | Pte.U | Pte.A | Pte.D;
    /** Valid, an exception with an error code, #PF. */
    private static final long INJECT_PF = VmxControls.INTR_VALID | (long) VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT
            | VmxControls.INTR_ERROR_CODE | 14;

    private enum Reading { ERROR_CODE, ADDRESS, ENTRY, CR3, INVALIDATED, RIP }

    private final FrameAllocator frames;
    private final GuestLayout layout;
    private final long base;
    private final PagingState initial;
    private final GuestState guest;
    /** Tables of the virtual TLB below the root, by level and by the bits of the addresses that they translate. */
    private final Map<Long, Long> tables = new HashMap<>();
    private long root;
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
    VirtualTlb(FrameAllocator frames, GuestLayout layout, long base, PagingState initial, GuestState guest) {
        this.frames = frames;
        this.layout = layout;
        this.base = base;
        this.initial = initial;
        this.guest = guest;
    }

    @Override
    public void start(StepBuffer out) {
        root = zeroed(out);
        cr3 = initial.cr3();
        out.vmwrite(VmcsField.GUEST_CR3, root);
        out.vmwrite(VmcsField.EXCEPTION_BITMAP, 1 << 14);
        out.vmwrite(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.UNCONDITIONAL_IO_EXITING | VmxControls.HLT_EXITING
                | VmxControls.CR3_LOAD_EXITING | VmxControls.INVLPG_EXITING);
        out.vmwrite(VmcsField.CR0_GUEST_HOST_MASK, -1);
        out.vmwrite(VmcsField.CR0_READ_SHADOW, initial.cr0());
        out.vmwrite(VmcsField.CR4_GUEST_HOST_MASK, -1);
        out.vmwrite(VmcsField.CR4_READ_SHADOW, initial.cr4());
    }

    @Override
    public boolean begin(int reason, StepBuffer out) {
        if (reason == ExitReason.EXCEPTION_NMI.number()) {
            out.vmread(VmcsField.VM_EXIT_INTR_ERROR_CODE);
            reading = Reading.ERROR_CODE;
        } else if (reason == ExitReason.CR_ACCESS.number()) {
            out.vmread(VmcsField.EXIT_QUALIFICATION);
            reading = Reading.CR3;
        } else if (reason == ExitReason.INVLPG.number()) {
            out.vmread(VmcsField.EXIT_QUALIFICATION);
            reading = Reading.INVALIDATED;
        } else {
            return false;
        }
        return true;
    }

    @Override
    public boolean go(long rax, StepBuffer out) {
        switch (reading) {
            case ERROR_CODE:
                errorCode = (int) rax;
                out.vmread(VmcsField.EXIT_QUALIFICATION);
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
            case CR3:
                // The source operand, as the instruction at GUEST_RIP names it; bit 63 asks for less than is done.
                cr3 = guest.steps().value[guest.next] & ~(1L << 63);
                empty(out);
                return advance(out);
            case INVALIDATED:
                drop(rax, out);
                return advance(out);
            default:
                out.vmwrite(VmcsField.GUEST_RIP, rax + 1);
                return true;
        }
    }

    /** Has the guest go on behind the instruction that exited, whose length is 1. */
    private boolean advance(StepBuffer out) {
        out.vmread(VmcsField.GUEST_RIP);
        reading = Reading.RIP;
        return false;
    }

    /** Reads the guest's entry of {@link #level}. */
    private void read(StepBuffer out) {
        entriesAt[level] = layout.direct(base + table + 8 * index(gva, level));
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
        out.vmwrite(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE, code);
        out.vmwrite(VmcsField.VM_ENTRY_INTR_INFO_FIELD, INJECT_PF);
        out.movToCr2(gva);
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
        long at = root;
        for (int l = LEVELS; l > level; l--) {
            long entry = layout.direct(at + 8 * index(gva, l));
            long key = gva >>> shift(l) << 3 | l;
            Long below = tables.get(key);
            out.loadEntry(entry, 8);
            if (below == null) {
                below = zeroed(out);
                tables.put(key, below);
                out.store(entry, 8, below | TABLE);
            }
            at = below;
        }
        long page = base + (entries[level] & ADDRESS & -1L << shift(level));
        long writable = (entries[level] & Pte.D) != 0 ? rights & Pte.W : 0;
        out.store(layout.direct(at + 8 * index(gva, level)), 8,
                page | Pte.P | Pte.A | Pte.D | writable | rights & Pte.U | (noExecute ? Pte.NX : 0) | (level > 1 ? Pte.PS : 0));
    }

    private void drop(long address, StepBuffer out) {
        long at = root;
        for (int l = LEVELS; l > 1; l--) {
            Long below = tables.get(address >>> shift(l) << 3 | l);
            if (below == null) {
                out.store(layout.direct(at + 8 * index(address, l)), 8, 0);
                return;
            }
            at = below;
        }
        out.store(layout.direct(at + 8 * index(address, 1)), 8, 0);
    }

    private void empty(StepBuffer out) {
        tables.values().forEach(frames::release);
        tables.clear();
        out.store(layout.direct(root), (int) PAGE, 0);
    }

    private long zeroed(StepBuffer out) {
        long page = frames.allocate();
        out.store(layout.direct(page), (int) PAGE, 0);
        return page;
    }

    private static long index(long address, int atLevel) {
        return address >>> shift(atLevel) & 511;
    }

    private static int shift(int atLevel) {
        return 12 + 9 * (atLevel - 1);
    }
}
