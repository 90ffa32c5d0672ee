package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.MemoryTypeMsrs;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.SystemMsrs;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * WRMSR in the guest's stead: the MSRs that paging depends on, the local APIC's, PAT and MTRRs, and the system MSRs; every other MSR is #GP. KVM:
 * kvm_emulate_wrmsr.
 */
@Component(property = VmExitHandler.EXIT_REASON + "=MSR_WRITE")
public final class MsrWriteExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if (write(vcpu, vcpu.engine().operation().msr, vcpu.engine().operation().value)) {
            vcpu.engine().skip();
        } else {
            vcpu.injectGeneralProtection();
        }
        return Disposition.RESUME;
    }

    private static boolean write(Vcpu vcpu, int msr, long value) {
        switch (msr) {
            case Msr.IA32_EFER:
                return efer(vcpu, value);
            case Msr.IA32_APIC_BASE:
                return vcpu.localApic().base(value);
            case Msr.IA32_PKRS:
                return pkrs(vcpu, value);
            case Msr.VM_HSAVE_PA:
                return vcpu.hasSvm() && vcpu.hostSaveArea(value);
            default:
                return plain(vcpu, msr, value);
        }
    }

    /** What the guest makes of PAT and MTRRs is kept, and is nothing to the memory types of its host. */
    private static boolean plain(Vcpu vcpu, int msr, long value) {
        if (vcpu.localApic().holdsMsr(msr)) {
            return vcpu.localApic().writeMsr(msr, value);
        }
        if (MemoryTypeMsrs.has(msr)) {
            return vcpu.registers().system.memoryTypes.write(msr, value, vcpu.physicalAddressBits());
        }
        return SystemMsrs.has(msr) && SystemMsrs.write(vcpu.registers(), msr, value, vcpu.processor().guestTime().retired());
    }

    /** LMA keeps its value whatever is written (KVM: set_efer). A write drops no translations by itself. */
    private static boolean efer(Vcpu vcpu, long value) {
        PagingState now = vcpu.registers().paging;
        boolean allowed = vcpu.hasSvm() ? ControlRegisterRules.eferAllowedWithSvm(value, now.efer(), now.cr0())
                : ControlRegisterRules.eferAllowed(value, now.efer(), now.cr0());
        if (!allowed) {
            return false;
        }
        vcpu.loadPaging(now.withEfer(value & ~ControlBits.EFER_LMA | now.efer() & ControlBits.EFER_LMA), true);
        return true;
    }

    /** Bits 63:32 are reserved (SDM vol. 4, "IA-32 Architectural MSRs"). A guest whose keys are hidden has no such MSR. */
    private static boolean pkrs(Vcpu vcpu, long value) {
        boolean hidden = (vcpu.controlDemand().hiddenCr4() & ControlBits.CR4_PKS) != 0;
        if (hidden || value >>> 32 != 0) {
            return false;
        }
        vcpu.loadPaging(vcpu.registers().paging.withPkrs((int) value), true);
        return true;
    }
}
