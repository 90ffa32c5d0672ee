package org.penumbra.vmx.exit;

import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.Access;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.Vcpu;

/** What follows from an MMU's answer to a fault, however it arrived. KVM: kvm_mmu_page_fault. */
final class Faults {
    private static final int EFAULT = 14;
    private static final int EINVAL = 22;

    private Faults() {}

    static Disposition resolve(Vcpu vcpu, MmuFault fault) {
        if (vcpu.tracer().on(TracePoint.KVM_PAGE_FAULT)) {
            vcpu.tracer().tell(TracePoint.KVM_PAGE_FAULT, fault.gva, fault.errorCode, fault.gpa, 0);
        }
        return follow(vcpu, fault, vcpu.mmu().resolve(fault));
    }

    /** The same for an entry that the processor refused; EINVAL if the MMU did not mean it. */
    static Disposition misconfigured(Vcpu vcpu, MmuFault fault) {
        return owed(vcpu, fault, vcpu.mmu().misconfigured(fault));
    }

    /** The same for sub-page permissions that are not there. */
    static Disposition subPageMissing(Vcpu vcpu, MmuFault fault) {
        return owed(vcpu, fault, vcpu.mmu().subPageMissing(fault));
    }

    private static Disposition owed(Vcpu vcpu, MmuFault fault, Resolution resolution) {
        return resolution == Resolution.HOST_ERROR ? Disposition.error(EINVAL, fault.reason) : follow(vcpu, fault, resolution);
    }

    private static Disposition follow(Vcpu vcpu, MmuFault fault, Resolution resolution) {
        switch (resolution) {
            case RETRY:
                return Disposition.RESUME;
            case EMULATE:
                return vcpu.emulate();
            case INJECT:
                if (fault.nested) {
                    vcpu.exitToGuestHypervisor(fault);
                    return Disposition.RESUME;
                }
                vcpu.injectPageFault(fault.gva, fault.errorCode);
                return Disposition.RESUME;
            case MMIO:
                if (Access.isWrite(fault.access) || vcpu.localApic().holds(fault.gpa) || vcpu.ports().holds(fault.gpa)) {
                    // An ioeventfd may wait for a write; what else there could be the emulator finds out.
                    return vcpu.emulate();
                }
                return Disposition.error(EFAULT, String.format(
                        "%s at guest-physical address 0x%x, where there is neither memory nor a device", Access.describe(fault.access), fault.gpa));
            case HOST_ERROR:
                return Disposition.error(EFAULT, fault.reason);
            default:
                throw new IllegalStateException("unknown resolution");
        }
    }
}
