package org.penumbra.api.machine;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Replaces parts of the hypervisor under a running guest. Any thread but those of the machine's own vCPUs.
 *
 * <p>A swap closes the machine's gate, which parks vCPUs, host events and whoever else works in the machine at an operation
 * boundary; moves what the old MMU's structures alone know (dirty bits) into the machine's state; closes it and revokes its lease;
 * attaches the new one; and opens the gate. Designs whose bundle goes away are taken out the same way: then the guest waits until a
 * design of the same name is there, or another is asked for.
 */
@ProviderType
public interface HotSwap {
    /** The design that the guest runs under by {@code mmu.name}; the one it waits for while {@link #waiting}. */
    String design();

    /** True while the guest waits for a design or an engine. */
    boolean waiting();

    /**
     * Replaces the MMU by {@code design}: of several services with this name the one that ranks highest now. Returns when the
     * guest goes on.
     *
     * @param settings settings of the design that differ from their defaults
     * @throws MachineException if there is no such design, if it refuses settings or the guest's paging state, or if the gate
     *     does not close in time, naming who blocks; the guest goes on under the old design then
     */
    SwapReport swap(String design, Map<String, String> settings);

    /**
     * Replaces the execution engine of every vCPU by that of {@code engine.name} {@code engine}.
     *
     * @throws MachineException if there is none, or the gate does not close in time
     */
    void swapEngine(String engine);

    /** What happened so far, the oldest first: at most the last 1,024 swaps. */
    List<SwapReport> reports();

    /** What MMUs did against the contract, one line each, naming bundle and law; and swaps that could not be made on their own account. */
    List<String> misconduct();

    /**
     * Checks the MMU at an operation boundary, one line for each violation: the invariants of its structures by its own
     * {@link org.penumbra.api.mmu.Mmu#audit}, and isolation without its help: from the processors' roots on, every table lies in its
     * lease and every leaf leads to a frame that the slots give the guest. Isolation is checked at every swap, too, before the MMU
     * goes; what is found then is {@link #misconduct}.
     */
    void audit(Consumer<String> violations);
}
