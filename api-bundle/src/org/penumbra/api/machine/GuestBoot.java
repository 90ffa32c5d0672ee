package org.penumbra.api.machine;

import java.util.Map;
import java.util.Optional;
import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;

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
     * Fills memory and the registers of every vCPU, and answers what runs on each, in the order of {@code vcpus}.
     *
     * @param vcpus the register files, in their reset state
     * @param memoryBytes the machine's guest-physical memory
     * @throws MachineException if the guest cannot run on so many vCPUs or in so little memory: then it has a {@link #refusal}
     */
    GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes);

    /** The guest has put a byte out on the console of its machine, by a serial port for one. On the thread of the vCPU. */
    default void console(int octet) {}

    /**
     * True if the guest programs the interrupt controllers itself: it finds every pin of the I/O APIC masked and the interval timer, GSI 0, at pin
     * 2, and its local APIC in xAPIC mode, as a PC's firmware leaves them. Else the pins are open, as
     * {@link org.penumbra.api.interrupt.ControllerState#initial} says, GSI n leads to pin n, and local APICs are in x2APIC mode.
     */
    default boolean programsInterrupts() {
        return false;
    }

    /**
     * What is needed to make this guest again, by name: workload, seed, digest of its input. Goes into snapshots, which no guest of another identity
     * goes on from. Empty if it is in memory and registers alone.
     */
    default Map<String, String> identity() {
        return Map.of();
    }

    /** Why this guest cannot run on {@code vcpus} vCPUs in {@code memoryBytes} of memory, in one line for the user; empty if it can. */
    default Optional<String> refusal(int vcpus, long memoryBytes) {
        return Optional.empty();
    }
}
