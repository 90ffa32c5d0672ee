package org.penumbra.api.machine;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/** The virtual machines that exist in this process now: a service of the hypervisor. Any thread. */
@ProviderType
public interface Machines {
    /**
     * A machine that was created and is not closed yet.
     *
     * @param id counts up from 1
     */
    record Running(int id, Machine machine) {}

    /** All of them, the oldest first. */
    List<Running> running();
}
