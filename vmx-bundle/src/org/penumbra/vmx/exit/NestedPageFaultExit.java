package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** Nested page fault: a mapping that the MMU still owes, or a write that must be seen. KVM: npf_interception. */
@Component(property = VmExitHandler.EXIT_REASON + "=NPF")
public final class NestedPageFaultExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        MmuFault fault = new MmuFault();
        fault.gpa = exit.guestPhysical;
        fault.qualification = exit.qualification;
        fault.access = exit.access;
        return (exit.qualification & NestedPageFault.RESERVED) != 0 ? Faults.misconfigured(vcpu, fault) : Faults.resolve(vcpu, fault);
    }
}
