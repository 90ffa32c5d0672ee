package org.penumbra.vmx;

import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.vmx.Disposition;

/**
 * Emulates the operation at which a vCPU's engine stopped: the engine supplies its meaning, this the memory. Translates by the
 * hypervisor's own walk of the guest's tables; each store then reaches the MMU and whoever tracks the frame.
 */
final class Emulator implements MemoryHooks {
    private static final int PAGE = PhysicalMemory.FRAME_BYTES;
    private static final int EFAULT = 14;

    private final VirtualMachine machine;
    private final VirtualCpu vcpu;
    private final GuestMemory guest;
    private final MmuFault fault = new MmuFault();
    private long gva;
    private long first;
    private long second;
    private Disposition refusal;

    Emulator(VirtualMachine machine, VirtualCpu vcpu) {
        this.machine = machine;
        this.vcpu = vcpu;
        this.guest = machine.memory.view(vcpu.clock());
    }

    /** Emulates one operation; a fault that it meets is injected. */
    Disposition run() {
        refusal = Disposition.RESUME;
        vcpu.engine().complete(this);
        return refusal;
    }

    @Override
    public boolean prepare(long address, int width, int operation) {
        gva = address;
        int access = vcpu.registers().access(operation);
        first = page(address, access);
        if (first >= 0 && (address & PAGE - 1) + width > PAGE) {
            second = page((address | PAGE - 1) + 1, access);
            return second >= 0;
        }
        return first >= 0;
    }

    /** The gpa of {@code address}, or −1 when the operation is refused. */
    private long page(long address, int access) {
        if (address << 16 >> 16 != address) {
            // The second page of an operation that begins below the hole of 4-level paging.
            vcpu.injectGeneralProtection();
            return -1;
        }
        long gpa = vcpu.mmu().gvaToGpa(vcpu.registers().paging, address, access, fault);
        if (gpa == MmuContext.FAULT) {
            vcpu.mmu().invalidatePage(fault.gva);
            vcpu.injectPageFault(fault.gva, fault.errorCode);
            return -1;
        }
        if (guest.pfn(gpa >>> 12) == GuestMemory.NO_SLOT) {
            refusal = Disposition.error(EFAULT, String.format(
                    "%s at guest-physical address 0x%x, where there is neither memory nor a device", Access.describe(access), gpa));
            return -1;
        }
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.translated(vcpu.id(), address, access, machine.memory.peek(gpa));
        }
        return gpa;
    }

    @Override
    public long load(long address, int width) {
        long gpa = gpa(address);
        int here = Math.min(width, PAGE - (int) (gpa & PAGE - 1));
        long low = guest.load(gpa, here);
        return here == width ? low : low | guest.load(gpa(address + here), width - here) << 8 * here;
    }

    @Override
    public void store(long address, int width, long value) {
        for (int done = 0; done < width; ) {
            int part = Math.min(width - done, 8 - (int) (address + done & 7));
            storePart(gpa(address + done), part, done == 0 || width > 8 ? value : value >>> 8 * done);
            done += part;
        }
    }

    private void storePart(long gpa, int bytes, long value) {
        guest.store(gpa, bytes, value);
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.written(machine.memory.peek(gpa), bytes);
        }
        machine.mmu.guestTableWritten(gpa, bytes, vcpu.clock());
        machine.tracking.written(gpa, bytes);
    }

    private long gpa(long address) {
        long offset = (gva & PAGE - 1) + (address - gva);
        return offset < PAGE ? first + (address - gva) : second + (offset - PAGE);
    }
}
