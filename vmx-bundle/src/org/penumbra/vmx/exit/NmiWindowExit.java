package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** NMI window: the guest has returned from an NMI, and the next entry injects another. KVM: handle_nmi_window. */
@Component(property = VmExitHandler.EXIT_REASON + "=NMI_WINDOW")
public final class NmiWindowExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("nmi_window_exits").increment();
        return Disposition.RESUME;
    }
}
