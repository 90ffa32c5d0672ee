package org.penumbra.api.verify;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingState;

/**
 * A guest that compares the machine it runs on with the specification: for one machine with one vCPU, {@link #engine} and
 * {@link #memoryBytes}. It ends when all vectors have been run. Figures and report are read between two calls of
 * {@link org.penumbra.api.machine.Machine#run}, and stay readable whatever becomes of the machine.
 */
@ConsumerType
public interface VerificationGuest extends GuestBoot {
    /** The {@code engine.name} of the engine that runs it. */
    String engine();

    /** The guest-physical memory that it needs. */
    long memoryBytes();

    /** The paging state that it boots with, but for CR3, for asking an MMU whether it can run it at all. */
    PagingState bootState();

    /** Vectors that are to be run, as far as that is known before. */
    long planned();

    /** Vectors that were run or skipped so far. */
    long done();

    VerificationReport report();
}
