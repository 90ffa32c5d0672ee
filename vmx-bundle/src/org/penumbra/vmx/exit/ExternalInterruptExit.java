package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** External interrupt: somebody wants the vCPU out of the guest; the run loop sees to why. KVM: handle_external_interrupt. */
@Component(property = VmExitHandler.EXIT_REASON + "=EXTERNAL_INTERRUPT")
public final class ExternalInterruptExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("irq_exits").increment();
        return Disposition.RESUME;
    }
}
