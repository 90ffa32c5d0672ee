package org.penumbra.experiments.run;

import org.penumbra.api.machine.Machine;

/** Is told how a campaign goes, on the thread that runs it. */
public interface CampaignListener {
    /** {@code trial} begins. */
    default void started(Trial trial) {}

    /** {@code machine} is about to run {@code trial}; the answer is closed when it has. */
    default AutoCloseable running(Trial trial, Machine machine) {
        return () -> { };
    }

    /** {@code trial} has retired {@code operations} so far. */
    default void progress(Trial trial, long operations) {}

    /** A trial has finished or failed: {@code soFar} ends with it. */
    default void ended(CampaignResult soFar) {}

    /** The campaign is over, at its end or interrupted. */
    default void finished(CampaignResult result) {}
}
