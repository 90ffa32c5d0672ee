package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** EPT misconfiguration: how a design has accesses to devices told, or an entry that it made wrong. KVM: handle_ept_misconfig. */
@Component(property = VmExitHandler.EXIT_REASON + "=EPT_MISCONFIG")
public final class EptMisconfigExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        MmuFault fault = new MmuFault();
        fault.gpa = exit.guestPhysical;
        fault.access = exit.access;
        return Faults.misconfigured(vcpu, fault);
    }
}
