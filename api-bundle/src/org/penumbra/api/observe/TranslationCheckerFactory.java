package org.penumbra.api.observe;

import java.util.function.LongUnaryOperator;
import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.memory.PhysicalMemory;

/** Makes checkers: a service of the bundle that holds the specification. */
@ProviderType
public interface TranslationCheckerFactory {
    /**
     * A checker of one machine.
     *
     * @param vcpus number of vCPUs
     * @param physicalAddressBits the guest's MAXPHYADDR: address bits of an entry from here up are reserved
     * @param memory the physical memory
     * @param gpaToHpa what the host means by a guest-physical address now, −1 for none; the identity without a hypervisor
     * @param hpaToGpa the guest-physical address that the host keeps at a physical address now, −1 for none; asked for addresses
     *     that the guest has just written
     */
    TranslationChecker create(
            int vcpus, int physicalAddressBits, PhysicalMemory memory, LongUnaryOperator gpaToHpa, LongUnaryOperator hpaToGpa);
}
