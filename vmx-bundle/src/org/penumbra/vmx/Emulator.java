package org.penumbra.vmx;

import java.util.Arrays;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.vmx.exit.PdpteRegisters;

/**
 * Emulates the operation at which a vCPU's engine stopped: the engine supplies its meaning, this the memory. Translates by the
 * hypervisor's own walk of the guest's tables. The MMU, and whoever tracks the frame, hear of the stores when the operation has
 * retired: what is still to be told is kept here, so that an MMU which fails over it costs the guest nothing.
 */
final class Emulator implements MemoryHooks {
    private static final int PAGE = PhysicalMemory.FRAME_BYTES;
    private static final int EFAULT = 14;
    private static final long CR0_TS = 1 << 3;

    private final VirtualMachine machine;
    private final VirtualCpu vcpu;
    private final GuestMemory guest;
    private final MmuFault fault = new MmuFault();
    private long gva;
    private long first;
    private long second;
    private boolean firstIsDevice;
    private boolean secondIsDevice;
    /** No memory takes the access that was last looked up. */
    private boolean unanswered;
    private Disposition refusal;
    /** Stores of the last operation, (gpa, bytes), of which those from {@link #told} on have not been told of. */
    private long[] storedAt = new long[8];
    private int[] storedBytes = new int[8];
    private int stored;
    private int told;

    Emulator(VirtualMachine machine, VirtualCpu vcpu) {
        this.machine = machine;
        this.vcpu = vcpu;
        this.guest = vcpu.guestMemory();
    }

    /** Emulates one operation; a fault that it meets is injected. */
    Disposition run() {
        refusal = Disposition.RESUME;
        tell();
        stored = 0;
        told = 0;
        vcpu.engine().complete(this);
        tell();
        return refusal;
    }

    /** Writes the aligned 8 bytes at {@code gpa} for the hypervisor itself; {@link #tell} is to follow. */
    void put(long gpa, long value) {
        guest.store(gpa, 8, value);
        written(gpa, 8);
    }

    /** Tells of stores that nobody was told of, because an MMU failed meanwhile. */
    void tell() {
        while (told < stored) {
            long gpa = storedAt[told];
            int bytes = storedBytes[told++];
            machine.tracking.written(gpa, bytes);
            vcpu.attachment().mmu().guestTableWritten(gpa, bytes, vcpu.clock());
        }
    }

    @Override
    public boolean prepare(long address, int width, int operation) {
        gva = address;
        int access = vcpu.registers().access(operation);
        first = page(address, access, width);
        firstIsDevice = unanswered;
        if (first >= 0 && (address & PAGE - 1) + width > PAGE) {
            second = page((address | PAGE - 1) + 1, access, width);
            secondIsDevice = unanswered;
            return second >= 0;
        }
        return first >= 0;
    }

    @Override
    public boolean switchTask(long cr3) {
        PagingState now = vcpu.registers().paging;
        PagingState next = now.withCr0(now.cr0() | CR0_TS).withCr3(cr3);
        if (now.mode() == PagingMode.PAE && cr3 != now.cr3()) {
            next = PdpteRegisters.load(vcpu, next);
        }
        if (next == null) {
            vcpu.injectGeneralProtection();
            return false;
        }
        // KVM: emulator_set_cr of tss_load_state. Stores so far were made by the tables before.
        tell();
        vcpu.loadPaging(next, false);
        return true;
    }

    /** The gpa of {@code address}, or −1 when the operation is refused. Sets {@link #unanswered}. */
    private long page(long address, int access, int width) {
        unanswered = false;
        if (!vcpu.registers().paging.mode().holds(address)) {
            // The second page of an operation that begins below the hole between canonical addresses, or below 4 GiB.
            vcpu.injectGeneralProtection();
            return -1;
        }
        fault.nested = false;
        long gpa = vcpu.mmu().gvaToGpa(vcpu.registers().paging, address, access, fault);
        if (gpa == MmuContext.FAULT && fault.nested) {
            vcpu.exitToGuestHypervisor(fault);
            return -1;
        }
        if (gpa == MmuContext.FAULT) {
            vcpu.mmu().invalidatePage(fault.gva);
            vcpu.injectPageFault(fault.gva, fault.errorCode);
            return -1;
        }
        if (guest.pfn(gpa >>> 12, Access.isWrite(access)) == GuestMemory.NO_SLOT) {
            if (width <= 8 && (Access.isWrite(access) || !Access.isFetch(access) && (vcpu.localApic().holds(gpa) || machine.ports.holds(gpa)))) {
                unanswered = true;
                return gpa;
            }
            refuse(gpa, access);
            return -1;
        }
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.translated(vcpu.id(), address, access, machine.memory.peek(gpa));
        }
        return gpa;
    }

    private void refuse(long gpa, int access) {
        boolean rom = guest.pfn(gpa >>> 12, false) != GuestMemory.NO_SLOT;
        refusal = Disposition.error(EFAULT, String.format("%s at guest-physical address 0x%x, where there is %s", Access.describe(access), gpa,
                rom ? "read-only memory and no device" : "neither memory nor a device"));
    }

    @Override
    public long load(long address, int width) {
        int here = Math.min(width, PAGE - (int) (gpa(address) & PAGE - 1));
        long low = part(address, here);
        return here == width ? low : low | part(address + here, width - here) << 8 * here;
    }

    /** Reads bytes of one page; a device is asked for each page by itself. KVM: emulator_read_write. */
    private long part(long address, int width) {
        long gpa = gpa(address);
        if (device(address) && vcpu.localApic().holds(gpa)) {
            return vcpu.localApic().load(gpa, width);
        }
        if (device(address) && machine.ports.holds(gpa)) {
            return machine.ports.load(gpa, width);
        }
        return guest.load(gpa, width);
    }

    @Override
    public void store(long address, int width, long value) {
        for (int done = 0; done < width; ) {
            long gpa = gpa(address + done);
            boolean device = device(address + done);
            int here = device ? PAGE - (int) (gpa & PAGE - 1) : 8 - (int) (address + done & 7);
            int part = Math.min(width - done, here);
            long bytes = done == 0 || width > 8 ? value : value >>> 8 * done;
            if (device) {
                signal(gpa, part, part < 8 ? bytes & (1L << 8 * part) - 1 : bytes);
            } else {
                guest.store(gpa, part, bytes);
                written(gpa, part);
            }
            done += part;
        }
    }

    /** True if a write at {@code address} is one to a device: no slot has it, or a read-only one. KVM: emulator_write_emulated. */
    private boolean device(long address) {
        return (gva & PAGE - 1) + (address - gva) < PAGE ? firstIsDevice : secondIsDevice;
    }

    /** A write to where no memory takes it reaches the local APIC, an ioeventfd, a device or nobody. */
    private void signal(long gpa, int width, long value) {
        if (vcpu.localApic().holds(gpa)) {
            vcpu.localApic().store(gpa, width, value);
            return;
        }
        if (machine.ports.signal(IoPorts.Bus.MMIO, gpa, width, value)) {
            return;
        }
        if (machine.ports.holds(gpa)) {
            machine.ports.store(gpa, width, value);
        } else {
            refuse(gpa, Access.WRITE);
        }
    }

    @Override
    public boolean compareAndSet(long address, int width, long expected, long value) {
        if ((address & 7) + width > 8) {
            store(address, width, value);
            return true;
        }
        long gpa = gpa(address);
        if (device(address)) {
            signal(gpa, width, value);
            return true;
        }
        int shift = (int) (gpa & 7) << 3;
        long mask = -1L >>> 64 - 8 * width << shift;
        boolean done;
        do {
            long around = width == 8 ? expected : guest.load(gpa & -8L, 8);
            if ((around & mask) != (expected << shift & mask)) {
                return false;
            }
            done = guest.compareAndSet(gpa & -8L, around, around & ~mask | value << shift & mask);
            // What failed for another store to the bytes around has not failed.
        } while (!done && width < 8);
        if (done) {
            written(gpa, width);
        }
        return done;
    }

    private void written(long gpa, int bytes) {
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.written(machine.memory.peek(gpa), bytes);
        }
        if (stored == storedAt.length) {
            storedAt = Arrays.copyOf(storedAt, 2 * stored);
            storedBytes = Arrays.copyOf(storedBytes, 2 * stored);
        }
        storedAt[stored] = gpa;
        storedBytes[stored++] = bytes;
    }

    private long gpa(long address) {
        long offset = (gva & PAGE - 1) + (address - gva);
        return offset < PAGE ? first + (address - gva) : second + (offset - PAGE);
    }
}
