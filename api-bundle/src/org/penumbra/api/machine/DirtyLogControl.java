package org.penumbra.api.machine;

import java.util.function.LongConsumer;
import org.osgi.annotation.versioning.ProviderType;

/**
 * User space's side of dirty logging: KVM_MEM_LOG_DIRTY_PAGES, KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG. Any thread but those of the
 * vCPUs.
 *
 * <p>There are two ways to read it. {@link #harvest} tells and clears at once. {@link #get} tells, and {@link #clear} clears what the
 * caller is about to copy: in this order, since a write after the clearing is in the log again, and one before it is in the copy.
 */
@ProviderType
public interface DirtyLogControl {
    /**
     * Begins to log writes to guest memory, in all slots whatever their flags: from return on each frame that anybody but the
     * loader writes is in the log. Survives swaps of the MMU.
     *
     * @throws MachineException if the design cannot log, or logging has begun already
     */
    void start();

    /**
     * The same with every frame of every slot in the log from the start. Nothing is write-protected and no large page is split before
     * {@link #clear} has cleared something of it, so that starting costs next to nothing. KVM: {@code KVM_DIRTY_LOG_INITIALLY_SET}.
     *
     * @throws MachineException if the design cannot log, or logging has begun already
     */
    void startAllSet();

    /**
     * Tells every gfn written since the last harvest, in ascending order, and begins anew. No write is lost: one that happens
     * meanwhile is in this harvest or in the next.
     */
    void harvest(LongConsumer gfns);

    /** Tells every gfn in the log, in ascending order; they stay in it. KVM_GET_DIRTY_LOG under KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2. */
    void get(LongConsumer gfns);

    /**
     * Takes from the log each gfn whose bit is set: bit i of word w stands for {@code firstGfn} + 64 w + i. From return on a write to one
     * of them is logged anew. KVM_CLEAR_DIRTY_LOG.
     */
    void clear(long firstGfn, long[] mask);

    /**
     * Begins to log as {@link #start} does, but into a ring for each vCPU: an entry for each frame that it makes dirty, in the order in
     * which it does. What is found dirty on nobody's behalf, or has no room, is in the log that {@link #harvest} and {@link #get}
     * tell. KVM: {@code KVM_CAP_DIRTY_LOG_RING} with {@code KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP}.
     *
     * @param entries of each ring: a power of two from 1024 to 65536
     * @param reader told when a ring is full
     * @throws MachineException if there can be no such ring, the design cannot log, or logging has begun already
     */
    void startRings(int entries, DirtyRingReader reader);

    /** Tells each entry that was not told yet, ring by ring. They keep their place in the rings. */
    void harvestRings(DirtyRingReader.Entries entries);

    /**
     * Frees every entry that was told: from return on a write to its frame makes a new one. KVM: {@code KVM_RESET_DIRTY_RINGS}.
     *
     * @return entries that were freed
     */
    int resetRings();

    /** Ends logging; what was not harvested is dropped. */
    void stop();
}
