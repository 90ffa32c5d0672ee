package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** EPT violation: a mapping that the MMU still owes, or a write that must be seen. KVM: handle_ept_violation. */
@Component(property = VmExitHandler.EXIT_REASON + "=EPT_VIOLATION")
public final class EptViolationExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        MmuFault fault = new MmuFault();
        fault.gva = exit.guestLinear;
        fault.gpa = exit.guestPhysical;
        fault.qualification = exit.qualification;
        fault.access = exit.access;
        return Faults.resolve(vcpu, fault);
    }
}
