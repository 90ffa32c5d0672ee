package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.ExtendedState;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * XSETBV in the guest's stead: XCR0 takes what CPUID tells the guest of, so not the state of protection keys that its MMU cannot serve. KVM:
 * kvm_emulate_xsetbv.
 */
@Component(property = VmExitHandler.EXIT_REASON + "=XSETBV")
public final class XsetbvExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        GuestOperation operation = vcpu.engine().operation();
        boolean keys = (vcpu.controlDemand().hiddenCr4() & ControlBits.CR4_PKE) == 0;
        boolean hidden = (operation.value & ExtendedState.PKRU) != 0 && !keys;
        if (operation.function == 0 && !hidden && ExtendedState.allowed(operation.value)) {
            vcpu.registers().system.xcr0 = operation.value;
            vcpu.engine().skip();
        } else {
            vcpu.injectGeneralProtection();
        }
        return Disposition.RESUME;
    }
}
