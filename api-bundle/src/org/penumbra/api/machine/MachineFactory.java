package org.penumbra.api.machine;

import java.nio.file.Path;
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

    /**
     * A machine that goes on from {@link Machine#snapshot} {@code file}: with the same registers, memory, devices, pending events and guest time, under
     * the design and engine of {@code config}. Operations are counted on; everything else that is counted begins at 0.
     *
     * @param config whose memory, vCPUs and processor are those of the snapshot
     * @param guest makes the guest anew, equal to the one that was saved; what it writes to memory and registers does not matter
     * @throws MachineException if the file is none, is damaged or does not fit, or the configuration names what is not there
     */
    default Machine restore(MachineConfig config, GuestBoot guest, Path file) {
        throw new MachineException("a machine without a hypervisor has no snapshots");
    }
}
