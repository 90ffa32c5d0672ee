package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** OUT to a port of the machine's devices. KVM: handle_io. */
@Component(property = VmExitHandler.EXIT_REASON + "=IO_INSTRUCTION")
public final class IoExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        int port = ExitQualification.port(exit.qualification);
        vcpu.ports().out(port, ExitQualification.width(exit.qualification), vcpu.engine().operation().value);
        vcpu.engine().skip();
        return vcpu.ports().poweredOff() ? Disposition.toUserSpace("a device powered the machine off") : Disposition.RESUME;
    }
}
