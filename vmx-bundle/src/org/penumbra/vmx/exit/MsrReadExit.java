package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.MemoryTypeMsrs;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.SystemMsrs;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** RDMSR in the guest's stead: the MSRs that paging depends on, the local APIC's, PAT and MTRRs, and the system MSRs; every other MSR is #GP. KVM: kvm_emulate_rdmsr. */
@Component(property = VmExitHandler.EXIT_REASON + "=MSR_READ")
public final class MsrReadExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        int msr = vcpu.engine().operation().msr;
        RegisterFile registers = vcpu.registers();
        long value;
        if (msr == Msr.IA32_EFER) {
            value = registers.paging.efer();
        } else if (msr == Msr.IA32_PKRS && (vcpu.controlDemand().hiddenCr4() & ControlBits.CR4_PKS) == 0) {
            value = registers.paging.pkrs() & 0xffff_ffffL;
        } else if (msr == Msr.VM_HSAVE_PA && vcpu.hasSvm()) {
            value = vcpu.hostSaveArea();
        } else if (msr == Msr.IA32_APIC_BASE) {
            value = vcpu.localApic().base();
        } else if (vcpu.localApic().readsMsr(msr)) {
            value = vcpu.localApic().readMsr(msr);
        } else if (MemoryTypeMsrs.has(msr)) {
            value = registers.system.memoryTypes.read(msr);
        } else if (SystemMsrs.has(msr)) {
            value = SystemMsrs.read(registers, msr, vcpu.processor().guestTime().retired());
        } else {
            vcpu.injectGeneralProtection();
            return Disposition.RESUME;
        }
        registers.gpr[RegisterFile.RAX] = value & 0xffff_ffffL;
        registers.gpr[RegisterFile.RDX] = value >>> 32;
        vcpu.engine().skip();
        return Disposition.RESUME;
    }
}
