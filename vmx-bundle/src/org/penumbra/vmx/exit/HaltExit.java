package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** HLT: nothing can wake the guest yet, so it is left to user space. KVM: kvm_emulate_halt without an interrupt controller. */
@Component(property = VmExitHandler.EXIT_REASON + "=HLT")
public final class HaltExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.engine().skip();
        return Disposition.toUserSpace("the guest halted, and no device can wake it");
    }
}
