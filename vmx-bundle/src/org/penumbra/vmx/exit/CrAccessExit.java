package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** MOV to CR0, CR3 or CR4 in the guest's stead. KVM: handle_cr. */
@Component(property = VmExitHandler.EXIT_REASON + "=CR_ACCESS")
public final class CrAccessExit implements VmExitHandler {
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        PagingState now = vcpu.registers().paging;
        long value = vcpu.engine().operation().value;
        // The exit takes priority over the check of the value (SDM vol. 3, "Relative Priority of Faults and VM Exits").
        switch (ExitQualification.cr(exit.qualification)) {
            case 0:
                if (!ControlRegisterRules.cr0Allowed(value, now.cr4(), now.efer())) {
                    return refuse(vcpu);
                }
                vcpu.loadPaging(now.withCr0(value).withEfer(ControlRegisterRules.efer(value, now.efer())), false);
                break;
            case 3:
                if (!ControlRegisterRules.cr3Allowed(value, now.cr4(), 1L << vcpu.physicalAddressBits())) {
                    return refuse(vcpu);
                }
                // Bit 63 of the operand is no part of CR3 (SDM vol. 2, "MOV—Move to/from Control Registers").
                boolean pcide = now.has4(ControlBits.CR4_PCIDE);
                boolean keep = pcide && (value & ControlBits.CR3_NO_FLUSH) != 0;
                vcpu.loadPaging(now.withCr3(pcide ? value & ~ControlBits.CR3_NO_FLUSH : value), keep);
                break;
            case 4:
                boolean hidden = (value & vcpu.controlDemand().hiddenCr4()) != 0;
                if (hidden || !ControlRegisterRules.cr4Allowed(value, now.cr4(), now.cr3(), now.efer())) {
                    return refuse(vcpu);
                }
                vcpu.loadPaging(now.withCr4(value), false);
                break;
            default:
                return Disposition.error(EINVAL, "access to CR" + ExitQualification.cr(exit.qualification) + " exits, and should not");
        }
        vcpu.engine().skip();
        return Disposition.RESUME;
    }

    private static Disposition refuse(Vcpu vcpu) {
        vcpu.injectGeneralProtection();
        return Disposition.RESUME;
    }
}
