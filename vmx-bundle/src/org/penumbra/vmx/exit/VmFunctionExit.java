package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** VMFUNC of a guest's guest that its hypervisor permits: EPTP switching among its tables. KVM: handle_vmfunc. */
@Component(property = VmExitHandler.EXIT_REASON + "=VMFUNC")
public final class VmFunctionExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return vcpu.vmFunction();
    }
}
