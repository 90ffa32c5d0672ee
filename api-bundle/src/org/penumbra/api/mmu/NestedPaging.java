package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * An ability of an {@link Mmu}: it translates for the guests of its guest, which is a hypervisor with tables of its own (EPT12 or NPT12),
 * by tables that stand for both dimensions (EPT02, NPT02). A guest hypervisor that shadows its guest's tables needs none of it.
 */
@ConsumerType
public interface NestedPaging {
    /** A new context for the vCPU behind {@code host} while it runs a guest of its guest. */
    NestedContext newNestedContext(MmuContextHost host);
}
