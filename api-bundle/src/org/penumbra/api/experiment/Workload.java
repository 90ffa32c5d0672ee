package org.penumbra.api.experiment;

import java.util.Optional;
import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;

/** A guest program that can be run again and again: a whiteboard service with {@link #WORKLOAD_NAME}. Any thread. */
@ConsumerType
public interface Workload {
    /** Service property: the name by which a user selects it. */
    String WORKLOAD_NAME = "workload.name";

    /** One line for people. */
    String description();

    /**
     * A fresh guest that runs this workload in {@code mode} and powers off with code 0 at its end. Equal seeds and modes give equal
     * guests. A guest that cannot run so says why by {@link GuestBoot#refusal}.
     *
     * @throws java.io.UncheckedIOException if an input cannot be read, with a message for the user
     */
    GuestBoot prepare(long seed, PagingMode mode);

    /** The guest with 4-level paging. */
    default GuestBoot prepare(long seed) {
        return prepare(seed, PagingMode.FOUR_LEVEL);
    }

    /** The engine that executes the guest, by {@code engine.name}. */
    default String engine() {
        return EngineFactory.STEPS;
    }

    /** The extension that the guest uses as a hypervisor; empty if it is none. */
    default Optional<VirtualizationExtension> needsExtension() {
        return Optional.empty();
    }

    /** True if the guest is a hypervisor with EPT or nested tables of its own, which needs a design that nests. */
    default boolean needsNestedPaging() {
        return false;
    }

    /** Identification of the input: "sha256:…" of a file, or the generator's name and version. Recorded with results. */
    String inputIdentity();

    /** Operations the guest will retire, roughly, for progress; 0 if unknown. */
    long expectedOperations();
}
