package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** INVLPG in the guest's stead. KVM: handle_invlpg. */
@Component(property = VmExitHandler.EXIT_REASON + "=INVLPG")
public final class InvlpgExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("invlpg").increment();
        vcpu.mmu().invalidatePage(exit.qualification);
        vcpu.engine().skip();
        return Disposition.RESUME;
    }
}
