package org.penumbra.api.machine;

import org.osgi.annotation.versioning.ProviderType;

/** Builds machines of one kind: a service with {@link #MACHINE_KIND}. */
@ProviderType
public interface MachineFactory {
    /** Service property: the kind, one of the constants below. */
    String MACHINE_KIND = "machine.kind";
    /** The guest alone on the processor. */
    String BARE = "bare";
    /** The guest under a hypervisor that uses VMX. */
    String VMX = "vmx";

    /**
     * A machine with {@code guest} in it, ready to run its first operation.
     *
     * @throws MachineException if the configuration names what is not there
     */
    Machine create(MachineConfig config, GuestBoot guest);
}
