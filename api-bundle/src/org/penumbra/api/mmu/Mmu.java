package org.penumbra.api.mmu;

import java.util.function.Consumer;
import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.clock.CycleClock;

/**
 * One virtual machine's MMU: owner of its translation structures. Everything in it is derived from guest tables, memory slots
 * and write-tracking requests, and may be lost at any instruction boundary.
 *
 * <p>An MMU is made while the guest may have run for long: it finds write-tracking requests and the dirty log as they are, and
 * consults them whenever it maps a frame. Every method may be called by several vCPUs at once. {@link #close} is called once, while
 * no vCPU runs; its lease is revoked right after, and from then on every handle it was given refuses.
 */
@ConsumerType
public interface Mmu extends AutoCloseable {
    /** What must be intercepted and owned; constant for the life of this MMU. */
    ControlDemand controlDemand();

    /** A new context for the vCPU behind {@code host}. */
    MmuContext newContext(MmuContextHost host);

    /**
     * Software (the hypervisor's emulator in a guest's stead) has just written {@code bytes} bytes at {@code gpa}, within one
     * frame. What was derived from the old contents is dropped or updated before return, flushes included. KVM:
     * {@code kvm_mmu_track_write}.
     *
     * @param clock charged for the work
     */
    void guestTableWritten(long gpa, int bytes, CycleClock clock);

    /**
     * From return on, no vCPU has a writable translation of {@code gfn}, until it is no longer tracked.
     *
     * @param clock charged for the work
     */
    void writeProtect(long gfn, CycleClock clock);

    /**
     * The host frames behind the {@code frames} guest frames from {@code gfn} are about to change: on return no translation of them
     * is reachable from any vCPU, in structures or TLBs, and dirty flags that only the structures knew are in the dirty log. Faults
     * that looked a frame up before are turned back by {@link org.penumbra.api.memory.GuestMemory#retry}. KVM:
     * {@code kvm_unmap_gfn_range}. Any thread, vCPUs running.
     *
     * @param clock charged for the work
     */
    void hostRangeChanged(long gfn, long frames, CycleClock clock);

    /**
     * The slots that give the {@code frames} guest frames from {@code gfn}, or gave them, change: on return nothing is reachable from
     * any vCPU that was derived from these frames, as {@link #hostRangeChanged} says, nor from what tables in them held. While no
     * vCPU runs; the generation ({@link org.penumbra.api.memory.GuestMemory#generation}) says that the change is going on. KVM:
     * {@code kvm_arch_flush_shadow_memslot}.
     *
     * @param clock charged for the work
     */
    default void slotsChanged(long gfn, long frames, CycleClock clock) {
        hostRangeChanged(gfn, frames, clock);
    }

    /**
     * Checks the invariants between the structures and reports each violation in a line. Changes nothing.
     *
     * @param clock charged for the reading: a spare one, if the run's cycles are not to show it
     */
    void audit(CycleClock clock, Consumer<String> violations);

    /** Gives up everything. Frames may be left to the revocation of the lease. */
    @Override
    void close();
}
