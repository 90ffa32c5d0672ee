package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;

/**
 * A VMCB (APM vol. 2, "Secure Virtual Machine"): plain memory, in which VMRUN finds the guest's RAX and #VMEXIT leaves it. Its hypervisor has no
 * devices and leaves GIF as it is; nor does its guest need VMLOAD and VMSAVE. What is cached for the guest stays until TLB_CONTROL or
 * INVLPGA drops it.
 */
final class VmcbBlock implements ControlBlock {
    private static final int ASID = 1;
    /** P, R/W and U/S. */
    private static final long NESTED_PAGE = 7;
    /** V, with an error code, an exception, #PF; the error code stands above. */
    private static final long INJECT_PF = 1L << 31 | 1 << 11 | 3 << 8 | 14;
    private static final int IOPM_FRAMES = 3;

    private final RegisterFile registers;
    private final GuestLayout layout;
    private final long hostSave;
    private final long vmcb;
    private final long iopm;
    /** TLB_CONTROL in the VMCB asks for a flush. */
    private boolean flushes;

    /** @param registers of the vCPU, in the hypervisor's first paging state */
    VmcbBlock(RegisterFile registers, GuestLayout layout, FrameAllocator frames) {
        this.registers = registers;
        this.layout = layout;
        this.hostSave = frames.allocate();
        this.vmcb = frames.allocate();
        this.iopm = frames.allocate();
        for (int i = 1; i < IOPM_FRAMES; i++) {
            if (frames.allocate() != iopm + i * PAGE) {
                throw new IllegalStateException("the first frames of a hypervisor are not in a row");
            }
        }
    }

    @Override
    public long gpa() {
        return vmcb;
    }

    @Override
    public void boot(PagingState l2, StepBuffer out) {
        out.wrmsr(Msr.IA32_EFER, registers.paging.efer() | ControlBits.EFER_SVME);
        out.wrmsr(Msr.VM_HSAVE_PA, hostSave);
        out.store(layout.direct(vmcb), (int) PAGE, 0);
        for (int i = 0; i < IOPM_FRAMES; i++) {
            out.store(layout.direct(iopm + i * PAGE), (int) PAGE, -1);
        }
        put(VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN, out);
        put(VmcbField.IOPM_BASE_PA, iopm, out);
        put(VmcbField.ASID, ASID, out);
        put(VmcbField.EFER, l2.efer() | ControlBits.EFER_SVME, out);
        put(VmcbField.CR0, l2.cr0(), out);
        put(VmcbField.CR3, l2.cr3(), out);
        put(VmcbField.CR4, l2.cr4(), out);
        put(VmcbField.RFLAGS, 2, out);
    }

    @Override
    public void useTables(long root, boolean unpaged, StepBuffer out) {
        put(VmcbField.INTERCEPT_MISC1, SvmIntercepts.IOIO | SvmIntercepts.HLT, out);
        put(VmcbField.NP_ENABLE, 1, out);
        put(VmcbField.N_CR3, root, out);
    }

    @Override
    public long pageBits() {
        return NESTED_PAGE;
    }

    @Override
    public void useShadows(long root, PagingState initial, StepBuffer out) {
        put(VmcbField.CR3, root, out);
        put(VmcbField.INTERCEPT_EXCEPTION, 1 << 14, out);
        put(VmcbField.INTERCEPT_CR, SvmIntercepts.crWrite(0) | SvmIntercepts.crWrite(3) | SvmIntercepts.crWrite(4), out);
        put(VmcbField.INTERCEPT_MISC1, SvmIntercepts.IOIO | SvmIntercepts.HLT | SvmIntercepts.INVLPG, out);
    }

    @Override
    public void enter(StepBuffer out) {
        out.svm(ExitReason.VMRUN, vmcb);
    }

    @Override
    public void exited(StepBuffer out) {
        layout.execute(GuestLayout.FAULT_ENTRY, out);
        if (flushes) {
            put(VmcbField.TLB_CONTROL, Vmcb.TLB_NOTHING, out);
            flushes = false;
        }
        get(VmcbField.EXITCODE, out);
    }

    @Override
    public Exit exit(long rax) {
        switch ((int) rax) {
            case Vmcb.VMEXIT_IOIO:
                return Exit.IO;
            case Vmcb.VMEXIT_EXCP + 14:
                return Exit.PAGE_FAULT;
            case Vmcb.VMEXIT_CR_WRITE + 3:
                return Exit.CR3_LOAD;
            case Vmcb.VMEXIT_INVLPG:
                return Exit.INVLPG;
            case Vmcb.VMEXIT_NPF:
                return Exit.REFUSED;
            case Vmcb.VMEXIT_INVALID:
                throw new MachineException("the guest hypervisor's VMRUN failed: VMEXIT_INVALID");
            default:
                throw new MachineException(String.format("the guest hypervisor does not know what to do about #VMEXIT 0x%x of its guest", rax));
        }
    }

    @Override
    public void readRefused(StepBuffer out) {
        get(VmcbField.EXITINFO1, out);
        get(VmcbField.EXITINFO2, out);
    }

    @Override
    public void emptyLog(StepBuffer out) {
        throw new IllegalStateException("SVM has no page-modification log");
    }

    @Override
    public void readErrorCode(StepBuffer out) {
        get(VmcbField.EXITINFO1, out);
    }

    @Override
    public void readFaultAddress(StepBuffer out) {
        get(VmcbField.EXITINFO2, out);
    }

    @Override
    public void readNext(StepBuffer out) {
        get(VmcbField.RIP, out);
    }

    @Override
    public void writeNext(long next, StepBuffer out) {
        put(VmcbField.RIP, next, out);
    }

    @Override
    public void injectPageFault(int errorCode, long gva, StepBuffer out) {
        put(VmcbField.EVENTINJ, (long) errorCode << 32 | INJECT_PF, out);
        put(VmcbField.CR2, gva, out);
    }

    @Override
    public void drop(StepBuffer out) {
        put(VmcbField.TLB_CONTROL, Vmcb.TLB_FLUSH_ASID, out);
        flushes = true;
    }

    @Override
    public void dropPage(long gva, StepBuffer out) {
        out.invlpga(gva, ASID);
    }

    @Override
    public void off(StepBuffer out) {
        // #VMEXIT has cleared GIF, which has to be 1 before SVM is switched off (APM vol. 2, "Enabling SVM").
        out.svm(ExitReason.STGI, 0);
        out.wrmsr(Msr.IA32_EFER, registers.paging.efer() & ~ControlBits.EFER_SVME);
    }

    private void put(VmcbField field, long value, StepBuffer out) {
        out.store(layout.direct(vmcb + field.offset()), field.bytes(), value);
    }

    private void get(VmcbField field, StepBuffer out) {
        out.load(layout.direct(vmcb + field.offset()), field.bytes());
    }
}
