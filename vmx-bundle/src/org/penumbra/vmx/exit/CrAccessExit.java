package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** MOV to CR0, CR3 or CR4, and from CR3, in the guest's stead. KVM: handle_cr. */
@Component(property = VmExitHandler.EXIT_REASON + "=CR_ACCESS")
public final class CrAccessExit implements VmExitHandler {
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if (ExitQualification.reads(exit.qualification)) {
            vcpu.engine().operation().value = ExitQualification.cr(exit.qualification) == 8
                    ? vcpu.localApic().taskPriority() >> 4 : vcpu.registers().paging.cr3();
            vcpu.engine().skip();
            return Disposition.RESUME;
        }
        long value = vcpu.engine().operation().value;
        boolean done;
        // The exit takes priority over the check of the value (SDM vol. 3, "Relative Priority of Faults and VM Exits").
        switch (ExitQualification.cr(exit.qualification)) {
            case 0:
                done = cr0(vcpu, vcpu.controlled(0, value));
                break;
            case 3:
                done = cr3(vcpu, value);
                break;
            case 4:
                done = cr4(vcpu, vcpu.controlled(4, value));
                break;
            case 8:
                done = value >>> 4 == 0;
                if (done) {
                    vcpu.localApic().taskPriority((int) value << 4);
                }
                break;
            default:
                return Disposition.error(EINVAL, "access to CR" + ExitQualification.cr(exit.qualification) + " exits, and should not");
        }
        if (done) {
            vcpu.engine().skip();
        } else {
            vcpu.injectGeneralProtection();
        }
        return Disposition.RESUME;
    }

    private static boolean cr0(Vcpu vcpu, long value) {
        PagingState now = vcpu.registers().paging;
        if (!ControlRegisterRules.cr0Allowed(value, now.cr4(), now.efer())) {
            return false;
        }
        PagingState next = now.withCr0(value).withEfer(ControlRegisterRules.efer(value, now.efer()));
        return load(vcpu, next, loadsPdptes(now, next), false);
    }

    private static boolean cr3(Vcpu vcpu, long value) {
        PagingState now = vcpu.registers().paging;
        if (!ControlRegisterRules.cr3Allowed(value, now.cr4(), 1L << vcpu.physicalAddressBits())) {
            return false;
        }
        // Bit 63 of the operand is no part of CR3 (SDM vol. 2, "MOV—Move to/from Control Registers").
        boolean pcide = now.has4(ControlBits.CR4_PCIDE);
        boolean keep = pcide && (value & ControlBits.CR3_NO_FLUSH) != 0;
        PagingState next = now.withCr3(pcide ? value & ~ControlBits.CR3_NO_FLUSH : value);
        return load(vcpu, next, now.mode() == PagingMode.PAE, keep);
    }

    private static boolean cr4(Vcpu vcpu, long value) {
        PagingState now = vcpu.registers().paging;
        boolean hidden = (value & vcpu.controlDemand().hiddenCr4()) != 0;
        if (hidden || !ControlRegisterRules.cr4Allowed(value, now.cr4(), now.cr3(), now.efer(), vcpu.linearAddressBits())) {
            return false;
        }
        PagingState next = now.withCr4(value);
        return load(vcpu, next, loadsPdptes(now, next), false);
    }

    private static boolean loadsPdptes(PagingState now, PagingState next) {
        return ControlRegisterRules.loadsPdptes(now.cr0(), now.cr4(), next.cr0(), next.cr4(), next.efer());
    }

    /** Answers false, having done nothing, if a PDPTE must not be loaded. */
    private static boolean load(Vcpu vcpu, PagingState next, boolean loadsPdptes, boolean keepPcid) {
        PagingState state = loadsPdptes ? PdpteRegisters.load(vcpu, next) : next;
        if (state == null) {
            return false;
        }
        vcpu.loadPaging(state, keepPcid);
        return true;
    }
}
