package org.penumbra.api.interrupt;

/**
 * Where a GSI (global system interrupt) leads: one entry of the table that {@code KVM_SET_GSI_ROUTING} sets. With the I/O APIC as
 * the only chip that has pins, KVM's rules leave room for one route per GSI ({@code setup_routing_entry}).
 */
public sealed interface GsiRoute {
    /** To a pin of the I/O APIC ({@code KVM_IRQ_ROUTING_IRQCHIP}); several GSIs may share one, and their levels are ORed. */
    record Pin(int pin) implements GsiRoute {
        /** @throws ErrnoException EINVAL if there is no such pin */
        public Pin {
            if (pin < 0 || pin >= ControllerState.PINS) {
                throw new ErrnoException(ErrnoException.EINVAL, "the I/O APIC has no pin " + pin);
            }
        }
    }

    /**
     * To a message ({@code KVM_IRQ_ROUTING_MSI}): it is sent whenever the GSI is signalled or set high, and nothing is when it is
     * set low ({@code kvm_set_msi}). For the fields see {@link InterruptController#msi}.
     */
    record Msi(long address, int data) implements GsiRoute {}
}
