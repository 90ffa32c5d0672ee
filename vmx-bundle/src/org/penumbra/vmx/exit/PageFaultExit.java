package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** Intercepted #PF: the guest's own fault, or a translation that the MMU still owes. KVM: handle_exception_nmi. */
@Component(property = VmExitHandler.EXIT_REASON + "=EXCEPTION_NMI")
public final class PageFaultExit implements VmExitHandler {
    private static final int EINVAL = 22;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if (exit.vector != GuestException.PF) {
            return Disposition.error(EINVAL, "exception " + exit.vector + " is intercepted, and only #PF should be");
        }
        MmuFault fault = new MmuFault();
        fault.gva = exit.qualification;
        fault.errorCode = exit.errorCode;
        fault.access = exit.access;
        return Faults.resolve(vcpu, fault);
    }
}
