package org.penumbra.devices.interrupt;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.devices.descriptor.DescriptorService;

/** A registry with the stock controller and one machine of two vCPUs, outside any container. */
final class Board {
    final FakeReference stock = new FakeReference("x2apic", 0);
    final ControllerRegistry registry = new ControllerRegistry();
    final List<Integer> kicks = new ArrayList<>();
    final Interrupts interrupts;

    Board() {
        registry.bindController(new X2ApicFactory(), stock);
        interrupts = registry.create(2, kicks::add);
    }

    static EventDescriptor event() {
        return new DescriptorService().event(0, false);
    }

    /** Takes what {@code vcpu} may take and ends it; −1 for nothing. */
    int serve(int vcpu) {
        if (!interrupts.pending(vcpu)) {
            return -1;
        }
        int vector = interrupts.acknowledge(vcpu);
        interrupts.endOfInterrupt(vcpu);
        return vector;
    }

    /** The message that delivers {@code vector} to {@code vcpu}. */
    static long address(int vcpu) {
        return 0xfee0_0000L | vcpu << 12;
    }
}
