package org.penumbra.api.machine;

import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TranslationChecker;

/** A machine with a guest in it. Not thread-safe: driven by one thread, which also runs its vCPU. */
@ProviderType
public interface Machine extends AutoCloseable {
    /**
     * Runs the guest for about {@code operations} more operations.
     *
     * @return true while the guest is still alive
     * @throws MachineException if the run cannot go on; the machine is stopped then, its numbers stay readable
     */
    boolean run(long operations);

    /** The code with which the guest powered the machine off; 0 before. */
    int exitCode();

    GuestClock guestTime();

    CycleClock cycles();

    TranslationStatistics translation();

    /** Exits; empty without a hypervisor. */
    ExitTable exits();

    /** Counters by name. */
    Map<String, Long> counters();

    ExecutionEngine engine();

    /** The checker of a checked machine, else null. */
    TranslationChecker checker();

    /** A digest of guest-physical memory, byte for byte: equal memories have equal digests. */
    long memoryDigest();

    /** Host frames that hold the MMU's structures; 0 without one. */
    long mmuFrames();

    /** The bundle that provided the MMU as "symbolic-name version", or empty. */
    String mmuBundle();

    /** Closes the MMU and frees what it held. Numbers stay readable; closing again has no effect. */
    @Override
    void close();
}
