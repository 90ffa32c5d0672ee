package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** A task switch, which VMX leaves to the hypervisor: emulated, on the hypervisor's own walks. KVM: handle_task_switch. */
@Component(property = VmExitHandler.EXIT_REASON + "=TASK_SWITCH")
public final class TaskSwitchExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return vcpu.emulate();
    }
}
