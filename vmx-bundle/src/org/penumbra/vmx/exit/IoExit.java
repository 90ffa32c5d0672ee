package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** IN: from the machine's devices. OUT: to an ioeventfd without leaving to user space, else to the machine's devices. KVM: handle_io. */
@Component(property = VmExitHandler.EXIT_REASON + "=IO_INSTRUCTION")
public final class IoExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        int port = ExitQualification.port(exit.qualification);
        int width = ExitQualification.width(exit.qualification);
        if (ExitQualification.isIn(exit.qualification)) {
            vcpu.counters().counter("io_exits").increment();
            vcpu.engine().operation().value = vcpu.ports().in(port, width);
            vcpu.engine().skip();
            return Disposition.RESUME;
        }
        long value = vcpu.engine().operation().value;
        if (!vcpu.ports().signal(IoPorts.Bus.PORT, port, width, value)) {
            vcpu.counters().counter("io_exits").increment();
            vcpu.ports().out(port, width, value);
        }
        vcpu.engine().skip();
        return vcpu.ports().poweredOff() ? Disposition.toUserSpace("a device powered the machine off") : Disposition.RESUME;
    }
}
