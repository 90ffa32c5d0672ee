package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** WRMSR in the guest's stead: the x2APIC's EOI register; every other MSR is #GP. KVM: kvm_emulate_wrmsr. */
@Component(property = VmExitHandler.EXIT_REASON + "=MSR_WRITE")
public final class MsrWriteExit implements VmExitHandler {
    /** SDM vol. 3, "x2APIC Register Address Space": EOI, of which only 0 may be written. */
    private static final int X2APIC_EOI = 0x80b;

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        if (vcpu.engine().operation().msr != X2APIC_EOI || vcpu.engine().operation().value != 0) {
            vcpu.injectGeneralProtection();
            return Disposition.RESUME;
        }
        vcpu.interrupts().endOfInterrupt(vcpu.id());
        vcpu.engine().skip();
        return Disposition.RESUME;
    }
}
