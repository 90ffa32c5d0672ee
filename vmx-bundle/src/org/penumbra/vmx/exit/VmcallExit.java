package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** VMCALL: no hypercall is offered, and the guest learns so as under KVM ({@code kvm_emulate_hypercall}). */
@Component(property = VmExitHandler.EXIT_REASON + "=VMCALL")
public final class VmcallExit implements VmExitHandler {
    /** KVM_ENOSYS: −1000. */
    private static final long ENOSYS = -1000;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("hypercalls").increment();
        vcpu.registers().gpr[RegisterFile.RAX] = ENOSYS;
        vcpu.engine().skip();
        return Disposition.RESUME;
    }
}
