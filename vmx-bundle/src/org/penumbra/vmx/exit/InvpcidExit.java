package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.paging.ControlBits;
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
    private static final int ONE_ADDRESS = 0;
    private static final int ONE_CONTEXT = 1;
    private static final int LAST_TYPE = 3;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        GuestOperation operation = vcpu.engine().operation();
        if (allowed(operation.function, operation.value, operation.gva, vcpu.registers().paging)) {
            vcpu.mmu().invalidatePcid(operation.function, (int) operation.value, operation.gva);
            vcpu.engine().skip();
        } else {
            vcpu.injectGeneralProtection();
        }
        return Disposition.RESUME;
    }

    /** SDM vol. 2, "INVPCID—Invalidate Process-Context Identifier": what is not #GP(0). */
    private static boolean allowed(int type, long pcid, long gva, PagingState state) {
        if (type < 0 || type > LAST_TYPE || (pcid & ~ControlBits.CR3_PCID) != 0) {
            return false;
        }
        if (type <= ONE_CONTEXT && pcid != 0 && !state.has4(ControlBits.CR4_PCIDE)) {
            return false;
        }
        int unused = state.has4(ControlBits.CR4_LA57) ? 64 - 57 : 64 - 48;
        return type != ONE_ADDRESS || gva << unused >> unused == gva;
    }
}
