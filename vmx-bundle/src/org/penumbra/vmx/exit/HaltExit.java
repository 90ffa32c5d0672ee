package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** HLT: the vCPU waits for an interrupt. KVM: kvm_emulate_halt. */
@Component(property = VmExitHandler.EXIT_REASON + "=HLT")
public final class HaltExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.engine().skip();
        vcpu.halt();
        return Disposition.RESUME;
    }
}
