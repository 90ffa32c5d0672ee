package org.penumbra.api.machine;

import java.util.function.LongConsumer;
import org.osgi.annotation.versioning.ProviderType;

/** User space's side of dirty logging: KVM_MEM_LOG_DIRTY_PAGES and KVM_GET_DIRTY_LOG. Any thread but those of the vCPUs. */
@ProviderType
public interface DirtyLogControl {
    /**
     * Begins to log writes to guest memory, in all slots whatever their flags: from return on each frame that anybody but the
     * loader writes is in the log. Survives swaps of the MMU.
     *
     * @throws MachineException if the design cannot log, or logging has begun already
     */
    void start();

    /**
     * Tells every gfn written since the last harvest, in ascending order, and begins anew. No write is lost: one that happens
     * meanwhile is in this harvest or in the next.
     */
    void harvest(LongConsumer gfns);

    /** Ends logging; what was not harvested is dropped. */
    void stop();
}
