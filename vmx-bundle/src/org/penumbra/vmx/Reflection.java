package org.penumbra.vmx;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;

/**
 * Which exits of a guest's guest (L2) its hypervisor (L1) sees, and with what information; the rest is handled here as for any guest. KVM:
 * nested_vmx_l0_wants_exit, nested_vmx_l1_wants_exit. The table is in the bundle's README.
 */
final class Reflection extends GuestHypervisor {
    private final VirtualCpu vcpu;
    private final NestedVmx nested;

    Reflection(VirtualCpu vcpu, NestedVmx nested) {
        super(nested.run());
        this.vcpu = vcpu;
        this.nested = nested;
    }

    @Override
    TranslationRoot tables12() {
        return nested.withEpt() ? new TranslationRoot.TwoDimensional(nested.vmcs12().fields.get(VmcsField.EPT_POINTER)) : null;
    }

    @Override
    int tag() {
        return (int) nested.vpid();
    }

    @Override
    void merge(Vmcs vmcs) {
        NestedEntry.merge(nested.vmcs12().fields, vmcs);
    }

    @Override
    void shadows(PagingState state, Vmcs vmcs) {
        NestedEntry.shadows(nested.vmcs12().fields, state, vmcs);
    }

    @Override
    long controlled(PagingState now, int cr, long value) {
        return NestedEntry.controlled(nested.vmcs12().fields, now, cr, value);
    }

    @Override
    boolean wants(ExitRecord exit) {
        VmcsRegion v = nested.vmcs12().fields;
        switch (ExitReason.of(exit.reason)) {
            case EXCEPTION_NMI:
                // A #PF that the MMU asked for may be one that it owes a translation.
                boolean asked = vcpu.controlDemand().interceptPageFaults() || vcpu.vmcs().linearWalker != null;
                return intercepts(exit.vector) && !(exit.vector == GuestException.PF && asked);
            case HLT:
                return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.HLT_EXITING);
            case INVLPG:
                return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.INVLPG_EXITING);
            case INVPCID:
                return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.INVLPG_EXITING)
                        && NestedEntry.secondary(v, VmxControls.ENABLE_INVPCID);
            case IO_INSTRUCTION:
                return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.UNCONDITIONAL_IO_EXITING);
            case CR_ACCESS:
                return !ExitQualification.reads(exit.qualification) && wantsCr(v, ExitQualification.cr(exit.qualification));
            // Without MSR bitmaps each access exits; CPUID, XSETBV and VMX instructions always do.
            case MSR_READ:
            case MSR_WRITE:
            case CPUID:
            case XSETBV:
            case TRIPLE_FAULT:
            case VMCALL:
            case VMXON:
            case VMXOFF:
            case VMCLEAR:
            case VMPTRLD:
            case VMREAD:
            case VMWRITE:
            case VMLAUNCH:
            case VMRESUME:
            case INVEPT:
            case INVVPID:
                return true;
            default:
                // EPT violations are L1's if its tables refuse the access, which the MMU finds out; interrupts are the host's.
                return false;
        }
    }

    private boolean wantsCr(VmcsRegion v, int cr) {
        long value = vcpu.engine().operation().value;
        switch (cr) {
            case 0:
                return ((value ^ v.get(VmcsField.CR0_READ_SHADOW)) & v.get(VmcsField.CR0_GUEST_HOST_MASK)) != 0;
            case 4:
                return ((value ^ v.get(VmcsField.CR4_READ_SHADOW)) & v.get(VmcsField.CR4_GUEST_HOST_MASK)) != 0;
            default:
                return v.has(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.CR3_LOAD_EXITING);
        }
    }

    /** True if L1 wants exceptions with {@code vector}; a #PF whatever its error code. */
    @Override
    boolean intercepts(int vector) {
        return (nested.vmcs12().fields.get(VmcsField.EXCEPTION_BITMAP) >>> vector & 1) != 0;
    }

    @Override
    void leave(ExitRecord exit) {
        if (exit.reason == ExitReason.EXCEPTION_NMI.number()) {
            exception(exit.vector, exit.errorCode, exit.qualification);
            return;
        }
        information(exit.qualification, exit.guestLinear, exit.guestPhysical, 0, 0);
        nested.exit(ExitReason.of(exit.reason));
    }

    /** Leaves L2 for L1 because of an exception of L2's. */
    @Override
    void exception(int vector, int errorCode, long address) {
        boolean hasCode = vector != GuestException.UD;
        long info = VmxControls.INTR_VALID | (long) VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT
                | (hasCode ? VmxControls.INTR_ERROR_CODE : 0) | vector;
        information(vector == GuestException.PF ? address : 0, 0, 0, info, hasCode ? errorCode : 0);
        nested.exit(ExitReason.EXCEPTION_NMI);
    }

    /** The same because EPT12 refuses an access. A misconfiguration has no qualification (SDM vol. 3, "EPT Misconfigurations"). */
    @Override
    void refused(MmuFault fault) {
        boolean misconfigured = fault.misconfigured;
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.stageRefused(vcpu.id(), fault.gpa, misconfigured ? -1 : fault.qualification);
        }
        information(misconfigured ? 0 : fault.qualification, misconfigured ? 0 : fault.gva, fault.gpa, 0, 0);
        nested.exit(misconfigured ? ExitReason.EPT_MISCONFIG : ExitReason.EPT_VIOLATION);
    }

    /** The same because an interrupt for L1 is pending: "acknowledge interrupt on exit" is 0, so that L1 finds it pending. */
    @Override
    void interrupt() {
        information(0, 0, 0, 0, 0);
        nested.exit(ExitReason.EXTERNAL_INTERRUPT);
    }

    /** True if an interrupt that is pending for the vCPU ends L2's turn. */
    @Override
    boolean interruptExits() {
        return nested.vmcs12().fields.has(VmcsField.PIN_BASED_VM_EXEC_CONTROL, VmxControls.PIN_EXTERNAL_INTERRUPT);
    }

    private void information(long qualification, long linear, long physical, long interruption, int errorCode) {
        VmcsRegion v = nested.vmcs12().fields;
        v.set(VmcsField.EXIT_QUALIFICATION, qualification);
        v.set(VmcsField.GUEST_LINEAR_ADDRESS, linear);
        v.set(VmcsField.GUEST_PHYSICAL_ADDRESS, physical);
        v.set(VmcsField.VM_EXIT_INTR_INFO, interruption);
        v.set(VmcsField.VM_EXIT_INTR_ERROR_CODE, errorCode);
    }
}
