package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/**
 * A VMCS. VMX leaves RAX to the hypervisor, and what VMREAD reads arrives there, so the guest's is kept in a frame meanwhile. Of a guest that
 * has no VPID a transition drops what is cached.
 */
final class VmcsBlock implements ControlBlock {
    /** EPTP: write-back, 4 levels, accessed and dirty flags. */
    private static final long EPTP = 6 | 3 << 3 | 1 << 6;
    private static final long EPT_PAGE = 7 | 6 << 3;
    private static final long VPID = 1;
    /** Valid, an exception with an error code, #PF. */
    private static final long INJECT_PF = VmxControls.INTR_VALID | (long) VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT
            | VmxControls.INTR_ERROR_CODE | 14;

    private final RegisterFile registers;
    private final GuestLayout layout;
    private final PagingState l1;
    private final long vmxon;
    private final long vmcs;
    private final long stack;
    /** The page-modification log; 0 without. */
    private final long log;
    private boolean launched;

    /**
     * @param registers of the vCPU, in the hypervisor's first paging state
     * @param logs there is a page-modification log
     */
    VmcsBlock(RegisterFile registers, GuestLayout layout, FrameAllocator frames, boolean logs) {
        this.registers = registers;
        this.layout = layout;
        this.l1 = registers.paging.withCr4(registers.paging.cr4() | ControlBits.CR4_VMXE);
        this.vmxon = frames.allocate();
        this.vmcs = frames.allocate();
        this.stack = frames.allocate();
        this.log = logs ? frames.allocate() : 0;
    }

    @Override
    public long gpa() {
        return vmcs;
    }

    @Override
    public void boot(PagingState l2, StepBuffer out) {
        for (long region : new long[] {vmxon, vmcs}) {
            out.store(layout.direct(region), (int) PAGE, 0);
            out.store(layout.direct(region), 8, VmcsRegion.REVISION);
        }
        out.movToCr4(l1.cr4());
        out.vmx(ExitReason.VMXON, vmxon);
        out.vmx(ExitReason.VMCLEAR, vmcs);
        out.vmx(ExitReason.VMPTRLD, vmcs);
        out.vmwrite(VmcsField.VM_ENTRY_CONTROLS, VmxControls.ENTRY_LOAD_EFER);
        out.vmwrite(VmcsField.VM_EXIT_CONTROLS, VmxControls.EXIT_LOAD_EFER);
        out.vmwrite(VmcsField.HOST_CR0, l1.cr0());
        out.vmwrite(VmcsField.HOST_CR3, l1.cr3());
        out.vmwrite(VmcsField.HOST_CR4, l1.cr4());
        out.vmwrite(VmcsField.HOST_IA32_EFER, l1.efer());
        out.vmwrite(VmcsField.GUEST_CR0, l2.cr0());
        out.vmwrite(VmcsField.GUEST_CR3, l2.cr3());
        out.vmwrite(VmcsField.GUEST_CR4, l2.cr4());
        out.vmwrite(VmcsField.GUEST_IA32_EFER, l2.efer());
        out.vmwrite(VmcsField.GUEST_PDPTR0, l2.pdptes().get(0));
        out.vmwrite(VmcsField.GUEST_PDPTR1, l2.pdptes().get(1));
        out.vmwrite(VmcsField.GUEST_PDPTR2, l2.pdptes().get(2));
        out.vmwrite(VmcsField.GUEST_PDPTR3, l2.pdptes().get(3));
        out.vmwrite(VmcsField.GUEST_RFLAGS, 2);
        out.vmwrite(VmcsField.GUEST_RIP, 0);
        out.vmwrite(VmcsField.GUEST_SS_AR_BYTES, 0);
        out.store(layout.direct(stack), 8, 0);
    }

    @Override
    public void useTables(long root, boolean unpaged, StepBuffer out) {
        out.vmwrite(VmcsField.SECONDARY_VM_EXEC_CONTROL,
                VmxControls.ENABLE_EPT | VmxControls.ENABLE_VPID | (unpaged ? VmxControls.UNRESTRICTED_GUEST : 0) | (log != 0 ? VmxControls.ENABLE_PML : 0));
        if (log != 0) {
            out.vmwrite(VmcsField.PML_ADDRESS, log);
            out.vmwrite(VmcsField.GUEST_PML_INDEX, Vmcs.PML_ENTRIES - 1);
        }
        out.vmwrite(VmcsField.VIRTUAL_PROCESSOR_ID, VPID);
        out.vmwrite(VmcsField.EPT_POINTER, root | EPTP);
        out.vmwrite(VmcsField.CPU_BASED_VM_EXEC_CONTROL,
                VmxControls.ACTIVATE_SECONDARY | VmxControls.UNCONDITIONAL_IO_EXITING | VmxControls.HLT_EXITING);
    }

    @Override
    public long pageBits() {
        return EPT_PAGE;
    }

    @Override
    public void useShadows(long root, PagingState initial, StepBuffer out) {
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
    public void enter(StepBuffer out) {
        // What L2 has in RAX may be a paging-structure entry.
        out.loadEntry(layout.direct(stack), 8);
        out.vmx(launched ? ExitReason.VMRESUME : ExitReason.VMLAUNCH, 0);
        launched = true;
    }

    /** VM exits clear the flags by which a failed VM entry would show. */
    @Override
    public void exited(StepBuffer out) {
        if ((registers.rflags & (ControlBits.RFLAGS_CF | ControlBits.RFLAGS_ZF)) != 0) {
            throw new MachineException("the guest hypervisor's VM entry failed: its processor has no EPT for it under this design, or a"
                    + " control is not allowed; run it under a design with nested paging, such as ept");
        }
        layout.execute(GuestLayout.FAULT_ENTRY, out);
        out.storeAccumulator(layout.direct(stack), 8);
        out.vmread(VmcsField.VM_EXIT_REASON);
    }

    @Override
    public Exit exit(long rax) {
        ExitReason reason = ExitReason.of((int) rax & 0xffff);
        switch (reason) {
            case IO_INSTRUCTION:
                return Exit.IO;
            case EXCEPTION_NMI:
                return Exit.PAGE_FAULT;
            case CR_ACCESS:
                return Exit.CR3_LOAD;
            case INVLPG:
                return Exit.INVLPG;
            case EPT_VIOLATION:
                return Exit.REFUSED;
            case PML_FULL:
                return Exit.LOG_FULL;
            default:
                throw new MachineException("the guest hypervisor does not know what to do about exit " + reason + " of its guest");
        }
    }

    @Override
    public void readRefused(StepBuffer out) {
        out.vmread(VmcsField.EXIT_QUALIFICATION);
        out.vmread(VmcsField.GUEST_PHYSICAL_ADDRESS);
    }

    @Override
    public void emptyLog(StepBuffer out) {
        out.load(layout.direct(log), (int) PAGE);
        out.vmwrite(VmcsField.GUEST_PML_INDEX, Vmcs.PML_ENTRIES - 1);
    }

    @Override
    public void readErrorCode(StepBuffer out) {
        out.vmread(VmcsField.VM_EXIT_INTR_ERROR_CODE);
    }

    @Override
    public void readFaultAddress(StepBuffer out) {
        out.vmread(VmcsField.EXIT_QUALIFICATION);
    }

    @Override
    public void readNext(StepBuffer out) {
        out.vmread(VmcsField.GUEST_RIP);
    }

    @Override
    public void writeNext(long next, StepBuffer out) {
        out.vmwrite(VmcsField.GUEST_RIP, next);
    }

    @Override
    public void injectPageFault(int errorCode, long gva, StepBuffer out) {
        out.vmwrite(VmcsField.VM_ENTRY_EXCEPTION_ERROR_CODE, errorCode);
        out.vmwrite(VmcsField.VM_ENTRY_INTR_INFO_FIELD, INJECT_PF);
        out.movToCr2(gva);
    }

    @Override
    public void drop(StepBuffer out) {
        // The entry that follows does it.
    }

    @Override
    public void dropPage(long gva, StepBuffer out) {
        // The same.
    }

    @Override
    public void off(StepBuffer out) {
        out.vmx(ExitReason.VMXOFF, 0);
    }
}
