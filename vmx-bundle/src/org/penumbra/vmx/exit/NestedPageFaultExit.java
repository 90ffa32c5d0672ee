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
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if ((exit.qualification & NestedPageFault.RESERVED) != 0) {
            return Disposition.error(EINVAL, String.format(
                    "the MMU made a nested entry for guest-physical address 0x%x that the processor refuses", exit.guestPhysical));
        }
        MmuFault fault = new MmuFault();
        fault.gpa = exit.guestPhysical;
        fault.qualification = exit.qualification;
        fault.access = exit.access;
        return Faults.resolve(vcpu, fault);
    }
}
