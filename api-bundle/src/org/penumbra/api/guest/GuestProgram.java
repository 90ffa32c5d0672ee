package org.penumbra.api.guest;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * What an engine of steps executes: the software that one vCPU of a guest runs. It decides what the guest does next, and keeps whatever a real
 * kernel or program keeps in data structures whose contents do not matter here; translation tables and user data are in guest
 * memory and change by steps only. Called by the thread that runs the vCPU, through {@link GuestState}.
 *
 * <p>What it appends depends on how it was made and on the calls so far alone, not on those of another vCPU's program: a snapshot keeps the calls, and
 * a fresh program is asked the same when it is restored.
 */
@ConsumerType
public interface GuestProgram {
    /**
     * Appends the next batch to {@code steps}, which is empty. Called when all steps of the batch before have retired.
     *
     * @return false if there is nothing left to do; nothing was appended then
     */
    boolean refill(StepBuffer steps);

    /**
     * The guest's page-fault handler starts: appends its steps to {@code handler}, which is empty. They execute at CPL 0; after
     * the last one the faulted step is repeated at the privilege it had, as after IRET. The handler preserves the accumulator, as
     * a real one saves and restores RAX, and must not fault itself.
     *
     * @param cr2 the faulting gva
     * @param errorCode a {@link org.penumbra.api.paging.PageFaultError}
     * @param user the fault interrupted CPL 3
     */
    void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler);

    /**
     * An external interrupt was delivered: appends the handler's steps to {@code handler}, which is empty. They execute at CPL 0
     * with RFLAGS.IF = 0; after the last one the guest goes on where it was interrupted, as after IRET. The handler preserves the
     * accumulator and must not fault.
     */
    void interrupt(int vector, StepBuffer handler);
}
