package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * SPP-related event: an SPPT miss is a vector of sub-page permissions that the MMU still owes; an SPPT misconfiguration is an error of the MMU, which
 * loses its lease.
 */
@Component(property = VmExitHandler.EXIT_REASON + "=SPP_EVENT")
public final class SppEventExit implements VmExitHandler {
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if ((exit.qualification & ExitQualification.SPPT_MISS) == 0) {
            return Disposition.error(EINVAL, String.format(
                    "the MMU made a sub-page permission for guest-physical address 0x%x that the processor refuses", exit.guestPhysical));
        }
        MmuFault fault = new MmuFault();
        fault.gva = exit.guestLinear;
        fault.gpa = exit.guestPhysical;
        fault.access = exit.access;
        return Faults.subPageMissing(vcpu, fault);
    }
}
