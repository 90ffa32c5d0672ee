package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;

/** The silicon: a service of the hardware bundle. */
@ProviderType
public interface ProcessorFactory {
    /**
     * A logical processor outside VMX and SVM operation with empty TLBs.
     *
     * @param profile geometry and prices
     * @param registers the register file of the vCPU that it runs
     * @param ports where OUT goes while it does not exit
     * @param observer told of the guest's translations by engines; null for an unchecked run
     */
    HostProcessor create(CostProfile profile, PhysicalMemory memory, RegisterFile registers, IoPorts ports, TranslationObserver observer);
}
