package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/** Makes the interrupts of a machine. A service; any thread. */
@ProviderType
public interface InterruptsFactory {
    /** Name of the controller that a machine starts with unless it asks for another. */
    String DEFAULT_CONTROLLER = "x2apic";

    /**
     * Interrupts in {@link ControllerState#initial} and KVM's default routing, under the controller
     * {@link #DEFAULT_CONTROLLER}. If that is not there yet it is waited for, as {@link Interrupts} says.
     *
     * @param vcpus number of vCPUs, 1 to {@link ControllerState#MAX_VCPUS}
     */
    default Interrupts create(int vcpus, InterruptTarget target) {
        return create(vcpus, target, DEFAULT_CONTROLLER);
    }

    /** The same, under the controller {@code name}. */
    Interrupts create(int vcpus, InterruptTarget target, String name);
}
