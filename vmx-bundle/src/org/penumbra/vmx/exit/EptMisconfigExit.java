package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** EPT misconfiguration: no design here uses one as a signal, so it is an entry that an MMU made wrong. KVM: handle_ept_misconfig. */
@Component(property = VmExitHandler.EXIT_REASON + "=EPT_MISCONFIG")
public final class EptMisconfigExit implements VmExitHandler {
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return Disposition.error(EINVAL, String.format("the MMU made an EPT entry for guest-physical address 0x%x that the processor refuses", exit.guestPhysical));
    }
}
