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

    /**
     * The page-modification log of the guest hypervisor whose EPT tables are walked in its guest's stead: false if it has one and that is full, so that no
     * dirty flag may be set in the tables now (SDM vol. 3, "Page-Modification Logging").
     */
    default boolean mayLog12() {
        return true;
    }

    /** A dirty flag was set in those tables for a write to {@code gpa} of that guest, after {@link #mayLog12}: it goes into the log, if there is one. */
    default void log12(long gpa) {}
}
