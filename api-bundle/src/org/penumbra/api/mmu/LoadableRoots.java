package org.penumbra.api.mmu;

import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * What a context with one-dimensional roots may be able to do besides: name roots that the guest may load into CR3 by itself, without
 * the exit by which the MMU learns of it. Found by type on the {@link MmuContext}; called by the thread that runs the vCPU, before an
 * entry.
 */
@ConsumerType
public interface LoadableRoots {
    /**
     * A root for the guest's CR3 {@code guestCr3}.
     *
     * @param root as {@link org.penumbra.api.paging.TranslationRoot.OneDimensional#cr3}; bits 11:0 are 0
     */
    record Loadable(long guestCr3, long root) {}

    /**
     * The roots of which this holds now: a MOV to CR3 by the processor alone, with the flush that it makes, has for the guest the effect
     * that {@link MmuContext#load} would have. As long as the vCPU is in the guest it stays so, or the MMU brings the vCPU out
     * ({@link MmuHost#flushRemoteTlbs}). Empty if there are none.
     */
    List<Loadable> loadableRoots();
}
