package org.penumbra.vmx;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;

/**
 * Which exits of a guest's guest (L2) its hypervisor (L1) sees under SVM, and with what information: those that it intercepts, as VMCB02 has
 * told of them. KVM: nested_svm_exit_special, nested_svm_intercept. The table is in the bundle's README.
 */
final class SvmReflection extends GuestHypervisor {
    private final VirtualCpu vcpu;
    private final NestedSvm nested;
    /** By which L2 runs, with L0's intercepts and L1's. */
    private final Vmcb vmcb02;

    SvmReflection(VirtualCpu vcpu, NestedSvm nested, Vmcb vmcb02) {
        super(nested.run());
        this.vcpu = vcpu;
        this.nested = nested;
        this.vmcb02 = vmcb02;
    }

    @Override
    TranslationRoot tables12() {
        return nested.tables12();
    }

    @Override
    int tag() {
        return nested.controls().asid;
    }

    /** KVM: nested_vmcb02_recalc_intercepts. What L0 intercepts of every guest VMCB02 has anyway; VMMCALLs of L2 are none of L0's. */
    @Override
    void merge(Vmcs vmcs) {
        SvmControls c = nested.controls();
        vmcs.exceptionBitmap |= c.exceptions();
        vmcb02.exceptionIntercepts = vmcs.exceptionBitmap;
        vmcb02.crReadIntercepts = c.crReads();
        vmcb02.crWriteIntercepts = c.crWrites();
        vmcb02.invlpgIntercept = c.intercepts(Vmcb.VMEXIT_INVLPG);
        vmcb02.invpcidIntercept = c.intercepts(Vmcb.VMEXIT_INVPCID);
        vmcb02.vmmcallIntercept = c.intercepts(Vmcb.VMEXIT_VMMCALL);
    }

    @Override
    void shadows(PagingState state, Vmcs vmcs) {
        // SVM has no read shadows: L2 sees what it has.
    }

    @Override
    long controlled(PagingState now, int cr, long value) {
        return value;
    }

    @Override
    boolean wants(ExitRecord exit) {
        SvmControls c = nested.controls();
        GuestOperation operation = vcpu.engine().operation();
        switch (ExitReason.of(exit.reason)) {
            case NPF:
                // L1's if its tables refuse the access, which the MMU finds out.
            case EXTERNAL_INTERRUPT:
            case INTERRUPT_WINDOW:
                return false;
            case EXCEPTION_NMI:
                // A #PF that the MMU asked for may be one that it owes a translation.
                return intercepts(exit.vector) && !(exit.vector == GuestException.PF && vcpu.controlDemand().interceptPageFaults());
            case IO_INSTRUCTION:
                return c.intercepts(Vmcb.VMEXIT_IOIO) && c.interceptsPort(operation.port, operation.width, vcpu.guestMemory());
            case MSR_READ:
            case MSR_WRITE:
                boolean write = exit.reason == ExitReason.MSR_WRITE.number();
                return c.intercepts(Vmcb.VMEXIT_MSR) && c.interceptsMsr(operation.msr, write, vcpu.guestMemory());
            default:
                return c.intercepts(vmcb02.exitCode);
        }
    }

    @Override
    void leave(ExitRecord exit) {
        nested.exit(vmcb02.exitCode, vmcb02.exitInfo1, vmcb02.exitInfo2);
    }

    @Override
    boolean intercepts(int vector) {
        return (nested.controls().exceptions() >>> vector & 1) != 0;
    }

    @Override
    void exception(int vector, int errorCode, long address) {
        nested.exit(Vmcb.VMEXIT_EXCP + vector, errorCode & 0xffff_ffffL, vector == GuestException.PF ? address : 0);
    }

    @Override
    void refused(MmuFault fault) {
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.stageRefused(vcpu.id(), fault.gva, fault.gpa, fault.qualification);
        }
        nested.exit(Vmcb.VMEXIT_NPF, fault.qualification, fault.gpa);
    }

    /** APM vol. 2, "Interrupt Masking in EFLAGS.IF": whose flag masks it is for V_INTR_MASKING to say. */
    @Override
    boolean interruptExits() {
        SvmControls c = nested.controls();
        boolean open = c.hostMasksInterrupts() ? nested.host().interruptible()
                : (vcpu.registers().rflags & ControlBits.RFLAGS_IF) != 0 && !vcpu.registers().system.interruptShadow;
        return c.intercepts(Vmcb.VMEXIT_INTR) && open;
    }

    @Override
    int virtualInterrupt() {
        return nested.virtualInterrupt();
    }

    /** APM vol. 2, "Virtual Interrupt Intercept": before the interrupt is taken, so that V_IRQ is still 1. */
    @Override
    boolean takesVirtualInterrupt() {
        if (nested.controls().intercepts(Vmcb.VMEXIT_VINTR)) {
            nested.exit(Vmcb.VMEXIT_VINTR, 0, 0);
            return false;
        }
        nested.takeVirtualInterrupt();
        return true;
    }

    @Override
    void interrupt() {
        nested.exit(Vmcb.VMEXIT_INTR, 0, 0);
    }
}
