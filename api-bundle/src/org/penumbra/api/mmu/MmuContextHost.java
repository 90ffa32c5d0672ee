package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;

/** What a vCPU gives its {@link MmuContext}. Used by the thread that runs the vCPU. */
@ProviderType
public interface MmuContextHost {
    /** Number of the vCPU. */
    int vcpu();

    /** The clock that the context's work is charged to. */
    CycleClock clock();

    /** Drops what this vCPU's TLBs hold for {@code gva}. Charged. */
    void flushPage(long gva);

    /** Drops everything this vCPU's TLBs hold for its guest. Charged. */
    void flushAll();

    /**
     * The same, but for global translations as far as the processor can keep them: for a MOV to CR3 that exits (SDM vol. 3, "Operations that
     * Invalidate TLBs and Paging-Structure Caches"). Charged.
     */
    default void flushButGlobals() {
        flushAll();
    }
}
