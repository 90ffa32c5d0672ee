package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** The instructions of SVM of a guest that is a hypervisor. KVM: vmrun_interception, vmload_vmsave_interception, stgi_interception and the others. */
@Component(property = {
    VmExitHandler.EXIT_REASON + "=VMRUN", VmExitHandler.EXIT_REASON + "=VMLOAD", VmExitHandler.EXIT_REASON + "=VMSAVE",
    VmExitHandler.EXIT_REASON + "=STGI", VmExitHandler.EXIT_REASON + "=CLGI", VmExitHandler.EXIT_REASON + "=INVLPGA"
})
public final class SvmInstructionExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return vcpu.svmInstruction();
    }
}
