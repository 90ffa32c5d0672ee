package org.penumbra.vmx;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
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
    /** Vectors whose exceptions have an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC and #CP. */
    private static final int WITH_ERROR_CODE = 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21;

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
            case VMFUNC:
                return !switchesTables(v, vcpu.engine().operation());
            default:
                // EPT violations are L1's if its tables refuse the access, which the MMU finds out; interrupts are the host's.
                return false;
        }
    }

    /** True if VMFUNC is EPTP switching that may be done: by {@link #switchTables}. KVM: handle_vmfunc, nested_vmx_eptp_switching. */
    private boolean switchesTables(VmcsRegion v, GuestOperation vmfunc) {
        boolean inList = vmfunc.value >= 0 && vmfunc.value < Vmcs.EPTP_LIST_ENTRIES;
        return vmfunc.field == 0 && v.has(VmcsField.VM_FUNCTION_CONTROL, Vmcs.EPTP_SWITCHING) && inList
                && TranslationRoot.TwoDimensional.allowed(listed(v, vmfunc.value), vcpu.physicalAddressBits());
    }

    private long listed(VmcsRegion v, long index) {
        long gpa = v.get(VmcsField.EPTP_LIST_ADDRESS) + 8 * index;
        // What nothing answers is all ones, which is no EPTP.
        return vcpu.guestMemory().pfn(gpa >>> 12, false) == GuestMemory.NO_SLOT ? -1 : vcpu.guestMemory().load(gpa, 8);
    }

    @Override
    void switchTables(GuestOperation vmfunc) {
        VmcsRegion v = nested.vmcs12().fields;
        v.set(VmcsField.EPT_POINTER, listed(v, vmfunc.value));
        if (NestedEntry.secondary(v, VmxControls.EPT_VIOLATION_VE)) {
            v.set(VmcsField.EPTP_INDEX, vmfunc.value);
        }
        vcpu.otherTables();
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
        boolean hasCode = (WITH_ERROR_CODE >>> vector & 1) != 0;
        long info = VmxControls.INTR_VALID | (long) VmxControls.INTR_HARD_EXCEPTION << VmxControls.INTR_TYPE_SHIFT
                | (hasCode ? VmxControls.INTR_ERROR_CODE : 0) | vector;
        information(vector == GuestException.PF ? address : 0, 0, 0, info, hasCode ? errorCode : 0);
        nested.exit(ExitReason.EXCEPTION_NMI);
    }

    @Override
    boolean mayLog() {
        return !logs() || nested.vmcs12().fields.get(VmcsField.GUEST_PML_INDEX) < Vmcs.PML_ENTRIES;
    }

    /** Into the log that L1 has for L2; the index is a field of 16 bits. KVM: nested_vmx_write_pml_buffer, which goes on without an address too. */
    @Override
    void log(long gpa) {
        if (logs()) {
            VmcsRegion v = nested.vmcs12().fields;
            long index = v.get(VmcsField.GUEST_PML_INDEX);
            vcpu.putQuietly(v.get(VmcsField.PML_ADDRESS) + 8 * index, gpa);
            v.set(VmcsField.GUEST_PML_INDEX, index - 1);
        }
    }

    private boolean logs() {
        return NestedEntry.secondary(nested.vmcs12().fields, VmxControls.ENABLE_PML);
    }

    /** Leaves L2 for L1 because EPT12 refuses an access, or L1's page-modification log is full. A misconfiguration has no qualification (SDM vol. 3, "EPT Misconfigurations"). */
    @Override
    void refused(MmuFault fault) {
        if (fault.logFull) {
            information(0, 0, 0, 0, 0);
            nested.exit(ExitReason.PML_FULL);
            return;
        }
        if (convertible(fault)) {
            virtualizationException(fault);
            return;
        }
        boolean misconfigured = fault.misconfigured;
        TranslationObserver observer = vcpu.processor().observer();
        if (observer != null) {
            observer.stageRefused(vcpu.id(), fault.gva, fault.gpa, misconfigured ? -1 : fault.qualification);
        }
        information(misconfigured ? 0 : fault.qualification, misconfigured ? 0 : fault.gva, fault.gpa, 0, 0);
        nested.exit(misconfigured ? ExitReason.EPT_MISCONFIG : ExitReason.EPT_VIOLATION);
    }

    /** SDM vol. 3, "Convertible EPT Violations", and the area's offset 4, as {@link #virtualizationException} leaves it. */
    private boolean convertible(MmuFault fault) {
        VmcsRegion v = nested.vmcs12().fields;
        long area = v.get(VmcsField.VE_INFORMATION_ADDRESS);
        return NestedEntry.secondary(v, VmxControls.EPT_VIOLATION_VE) && !fault.misconfigured && !fault.suppressVe
                && (fault.qualification & EptViolation.LINEAR_VALID) != 0 && vcpu.registers().paging.has0(ControlBits.CR0_PE)
                && vcpu.guestMemory().pfn(area >>> 12, true) != GuestMemory.NO_SLOT && vcpu.guestMemory().load(area + 4, 4) == 0;
    }

    /** #VE of L2 in place of the EPT violation, with the area that the SDM's table "Format of the Virtualization-Exception Information Area" describes. */
    private void virtualizationException(MmuFault fault) {
        VmcsRegion v = nested.vmcs12().fields;
        long area = v.get(VmcsField.VE_INFORMATION_ADDRESS);
        vcpu.putQuietly(area, 0xffff_ffffL << 32 | ExitReason.EPT_VIOLATION.number());
        vcpu.putQuietly(area + 8, fault.qualification);
        vcpu.putQuietly(area + 16, fault.gva);
        vcpu.putQuietly(area + 24, fault.gpa);
        vcpu.putQuietly(area + 32, vcpu.guestMemory().load(area + 32, 8) & -1L << 16 | v.get(VmcsField.EPTP_INDEX));
        vcpu.events().exception(GuestException.VE, 0, 0);
    }

    /** Leaves L2 for L1 because an interrupt for L1 is pending: "acknowledge interrupt on exit" is 0, so that L1 finds it pending. */
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
