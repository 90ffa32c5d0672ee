package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** The VMX instructions of a guest that is a hypervisor. KVM: handle_vmon, handle_vmptrld, handle_vmlaunch and the others. */
@Component(property = {
    VmExitHandler.EXIT_REASON + "=VMXON", VmExitHandler.EXIT_REASON + "=VMXOFF", VmExitHandler.EXIT_REASON + "=VMCLEAR",
    VmExitHandler.EXIT_REASON + "=VMPTRLD", VmExitHandler.EXIT_REASON + "=VMREAD", VmExitHandler.EXIT_REASON + "=VMWRITE",
    VmExitHandler.EXIT_REASON + "=VMLAUNCH", VmExitHandler.EXIT_REASON + "=VMRESUME", VmExitHandler.EXIT_REASON + "=INVEPT",
    VmExitHandler.EXIT_REASON + "=INVVPID"
})
public final class VmxInstructionExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return vcpu.vmxInstruction();
    }
}
