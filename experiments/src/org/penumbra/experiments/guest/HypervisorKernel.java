package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/**
 * A hypervisor that is a guest (L1): it runs one guest of its own (L2), whose memory is its {@link HypervisorMmu}'s, until that powers off.
 * What it does to its VMCS it does by VMX instructions; what it reads of it arrives in RAX, which it saves for L2 first.
 */
final class HypervisorKernel implements GuestProgram {
    private static final int DEBUG_EXIT_PORT = 0xf4;

    private enum Phase {
        BOOT,
        /** L2 has just exited, or was not entered. */
        EXITED,
        /** RAX holds the exit reason. */
        REASON,
        /** The MMU is at work; RAX holds what it wanted to know. */
        SERVING,
        OFF
    }

    private final RegisterFile registers;
    private final GuestLayout layout;
    private final HypervisorMmu mmu;
    private final PagingState l1;
    private final PagingState l2;
    private final long vmxon;
    private final long vmcs;
    private final long stack;
    private Phase phase = Phase.BOOT;

    /**
     * @param registers of the vCPU
     * @param l2 registers of L2 at its start
     */
    HypervisorKernel(RegisterFile registers, GuestLayout layout, FrameAllocator frames, PagingState l2, HypervisorMmu mmu) {
        this.registers = registers;
        this.layout = layout;
        this.mmu = mmu;
        this.l1 = registers.paging.withCr4(registers.paging.cr4() | ControlBits.CR4_VMXE);
        this.l2 = l2;
        this.vmxon = frames.allocate();
        this.vmcs = frames.allocate();
        this.stack = frames.allocate();
    }

    /** gpa of the VMCS with which L2 is entered. */
    long vmcs() {
        return vmcs;
    }

    @Override
    public boolean refill(StepBuffer out) {
        switch (phase) {
            case BOOT:
                boot(out);
                break;
            case EXITED:
                requireEntered();
                layout.execute(GuestLayout.FAULT_ENTRY, out);
                out.storeAccumulator(layout.direct(stack), 8);
                out.vmread(VmcsField.VM_EXIT_REASON);
                phase = Phase.REASON;
                break;
            case REASON:
                handle((int) registers.gpr[RegisterFile.RAX] & 0xffff, out);
                break;
            case SERVING:
                if (mmu.go(registers.gpr[RegisterFile.RAX], out)) {
                    enter(ExitReason.VMRESUME, out);
                }
                break;
            default:
                return false;
        }
        return true;
    }

    private void boot(StepBuffer out) {
        layout.execute(GuestLayout.SYSCALL_ENTRY, out);
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
        mmu.start(out);
        out.store(layout.direct(stack), 8, 0);
        enter(ExitReason.VMLAUNCH, out);
    }

    /** Back to L2, with its RAX. */
    private void enter(ExitReason instruction, StepBuffer out) {
        layout.execute(GuestLayout.SCHEDULER, out);
        // What L2 has in RAX may be a paging-structure entry.
        out.loadEntry(layout.direct(stack), 8);
        out.vmx(instruction, 0);
        phase = Phase.EXITED;
    }

    /** VM exits clear the flags by which a failed VM entry would show. */
    private void requireEntered() {
        if ((registers.rflags & (ControlBits.RFLAGS_CF | ControlBits.RFLAGS_ZF)) != 0) {
            throw new MachineException("the guest hypervisor's VM entry failed: its processor has no EPT for it under this design, or a"
                    + " control is not allowed; run it under a design with nested paging, such as ept");
        }
    }

    private void handle(int reason, StepBuffer out) {
        layout.execute(GuestLayout.FAULT_HANDLER, out);
        if (mmu.begin(reason, out)) {
            phase = Phase.SERVING;
        } else if (reason == ExitReason.IO_INSTRUCTION.number()) {
            // The one device that L2 has powers it off.
            out.vmx(ExitReason.VMXOFF, 0);
            out.out(DEBUG_EXIT_PORT, 4, 0);
            out.hlt();
            phase = Phase.OFF;
        } else {
            throw new MachineException("the guest hypervisor does not know what to do about exit " + ExitReason.of(reason) + " of its guest");
        }
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new MachineException(String.format("the guest hypervisor has a page fault at 0x%x: it touches mapped memory only", cr2));
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        throw new MachineException("the guest hypervisor got interrupt " + vector + ", and has no device");
    }
}
