package org.penumbra.api.machine;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.RegisterFile;

/** A guest ready to be put into a machine: what a boot loader and the reset state are to a real one. */
@ConsumerType
public interface GuestBoot {
    /** Writes guest memory before the first operation. Not simulated: takes no guest time and no cycles. */
    @FunctionalInterface
    interface Loader {
        /** Writes 8 bytes at {@code gpa} (aligned, within the machine's memory). */
        void store64(long gpa, long value);
    }

    /**
     * Fills memory and the registers of vCPU 0, and answers the engine that runs it.
     *
     * @param memoryBytes the machine's guest-physical memory
     */
    ExecutionEngine boot(Loader loader, RegisterFile registers, long memoryBytes);
}
