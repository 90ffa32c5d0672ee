package org.penumbra.api.machine;

import java.nio.file.Path;
import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.observe.TranslationChecker;

/**
 * A machine with a guest in it. Driven by one thread; {@link #hotSwap}, {@link #hostPages}, {@link #memorySlots},
 * {@link #dirtyLog} and {@link #interrupts} may be used by others meanwhile. Figures are read between two calls of {@link #run}; with several vCPUs they
 * are sums.
 */
@ProviderType
public interface Machine extends AutoCloseable {
    /**
     * Runs each vCPU for about {@code operations} more operations. Returns early when the guest ends.
     *
     * @return true while the guest is still alive
     * @throws MachineException if the run cannot go on; the machine is stopped then, its numbers stay readable
     */
    boolean run(long operations);

    /** Number of vCPUs. */
    int vcpus();

    /** The code with which the guest powered the machine off; 0 before. */
    int exitCode();

    /** Retired guest operations. */
    long operations();

    /** Simulated cycles: a snapshot. */
    CycleClock cycles();

    TranslationStatistics translation();

    /** Exits: a snapshot; empty without a hypervisor. */
    ExitTable exits();

    /** Counters by name. */
    Map<String, Long> counters();

    /** Translations the guest asked for: one per access and page. */
    long accesses();

    /** Misses of the first-level TLB among {@link #accesses()}. */
    long misses();

    /** Depends on every value that the guest loaded on each vCPU. See {@link org.penumbra.api.guest.GuestState#digest}. */
    long guestDigest();

    /** The checker of a checked machine, else null. */
    TranslationChecker checker();

    /** A digest of guest-physical memory, byte for byte: equal memories have equal digests. */
    long memoryDigest();

    /** Host frames that hold the MMU's structures; 0 without one. */
    long mmuFrames();

    /** The bundle that provided the MMU as "symbolic-name version", or empty. */
    String mmuBundle();

    /** Replaces MMU and engine under the guest; null without a hypervisor. */
    HotSwap hotSwap();

    /** What the host does to the guest's pages; null without a hypervisor. */
    HostPages hostPages();

    /** Which guest-physical addresses lead to memory; null without a hypervisor. */
    MemorySlots memorySlots();

    /** Which guest frames are written; null without a hypervisor. */
    DirtyLogControl dirtyLog();

    /** The way to see what the guest writes, by frames or by bytes; null without a hypervisor. */
    default WriteTracking writeTracking() {
        return null;
    }

    /** The machine's interrupts; null without a hypervisor. */
    Interrupts interrupts();

    /** The clock of guest time for timers: operations retired by vCPU 0; null without a hypervisor. */
    Timeline timeline();

    /** The trace points of hypervisor and MMU; null without a hypervisor. */
    Tracing tracing();

    /**
     * Writes what the guest goes on from into {@code file}, at an operation boundary: architectural state alone, nothing that an MMU derives. The
     * guest goes on here, too. An older file of the name is replaced when the new one is whole. Any thread but those of the machine's own vCPUs.
     *
     * @throws MachineException if the machine cannot be saved as it is now, or the file cannot be written
     */
    default void snapshot(Path file) {
        throw new MachineException("a machine without a hypervisor has no snapshots");
    }

    /** Closes the MMU and frees what it held. Numbers stay readable; closing again has no effect. */
    @Override
    void close();
}
