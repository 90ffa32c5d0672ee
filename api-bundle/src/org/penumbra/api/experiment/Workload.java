package org.penumbra.api.experiment;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.machine.GuestBoot;

/** A guest program that can be run again and again: a whiteboard service with {@link #WORKLOAD_NAME}. Any thread. */
@ConsumerType
public interface Workload {
    /** Service property: the name by which a user selects it. */
    String WORKLOAD_NAME = "workload.name";

    /** One line for people. */
    String description();

    /**
     * A fresh guest that runs this workload and powers off with code 0 at its end. Equal seeds give equal guests.
     *
     * @throws java.io.UncheckedIOException if an input cannot be read, with a message for the user
     */
    GuestBoot prepare(long seed);

    /** Identification of the input: "sha256:…" of a file, or the generator's name and version. Recorded with results. */
    String inputIdentity();

    /** Operations the guest will retire, roughly, for progress; 0 if unknown. */
    long expectedOperations();
}
