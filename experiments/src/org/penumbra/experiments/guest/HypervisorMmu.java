package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;

/** How the hypervisor that is a guest virtualises its own guest's memory. */
interface HypervisorMmu {
    /** Appends what makes tables, and the VMWRITEs of the controls that are this MMU's. */
    void start(StepBuffer out);

    /** Begins to serve an exit of {@code reason}, an SDM number; false, with nothing appended, if it is none of this MMU's. */
    boolean begin(int reason, StepBuffer out);

    /** Goes on with it, {@code rax} being what the steps appended last have read; true if the guest may go on after those appended now. */
    boolean go(long rax, StepBuffer out);
}
