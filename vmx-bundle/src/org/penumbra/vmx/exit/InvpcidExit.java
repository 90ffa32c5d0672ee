package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * INVPCID in the guest's stead; it exits where INVLPG does (SDM vol. 3, "Instructions That Cause VM Exits Conditionally"). Type and
 * descriptor are in the engine's operation. KVM: handle_invpcid, kvm_handle_invpcid.
 */
@Component(property = VmExitHandler.EXIT_REASON + "=INVPCID")
public final class InvpcidExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        GuestOperation operation = vcpu.engine().operation();
        PagingState now = vcpu.registers().paging;
        if (ControlRegisterRules.invpcidAllowed(operation.function, operation.value, operation.gva, now.cr4(), now.mode())) {
            vcpu.mmu().invalidatePcid(operation.function, (int) operation.value, operation.gva);
            vcpu.engine().skip();
        } else {
            vcpu.injectGeneralProtection();
        }
        return Disposition.RESUME;
    }
}
