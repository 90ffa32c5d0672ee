package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;

/** How the hypervisor that is a guest virtualises its own guest's memory. */
interface HypervisorMmu {
    /** Appends what makes tables, and has the control block say what this MMU needs. */
    void start(StepBuffer out);

    /** Begins to serve an exit; false, with nothing appended, if it is none of this MMU's. */
    boolean begin(ControlBlock.Exit exit, StepBuffer out);

    /** Goes on with it, {@code rax} being what the steps appended last have read; true if the guest may go on after those appended now. */
    boolean go(long rax, StepBuffer out);
}
