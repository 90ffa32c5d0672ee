package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** The guest has shut down: leaves to user space with its state. KVM: handle_triple_fault. */
@Component(property = VmExitHandler.EXIT_REASON + "=TRIPLE_FAULT")
public final class TripleFaultExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return Disposition.toUserSpace("triple fault\n" + vcpu.engine().report());
    }
}
