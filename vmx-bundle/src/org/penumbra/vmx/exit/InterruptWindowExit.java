package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** Interrupt window: the guest takes interrupts again, and the next entry injects one. KVM: handle_interrupt_window. */
@Component(property = VmExitHandler.EXIT_REASON + "=INTERRUPT_WINDOW")
public final class InterruptWindowExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter("irq_window_exits").increment();
        return Disposition.RESUME;
    }
}
