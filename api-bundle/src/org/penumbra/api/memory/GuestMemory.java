package org.penumbra.api.memory;

import org.osgi.annotation.versioning.ProviderType;

/**
 * Guest-physical memory as the hypervisor reaches it: gpa → slot → hva → pfn, each step charged. A byte that no slot gives
 * is not reachable. Made per vCPU; used by the thread that runs it.
 */
@ProviderType
public interface GuestMemory {
    /** Answer of {@link #pfn} where no slot has the gfn: device memory, or nothing. */
    long NO_SLOT = -1;
    /** Bit of {@link #generation}. KVM: {@code KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS}. */
    long UPDATING = 1L << 63;

    /**
     * The host frame behind {@code gfn}, faulted in if needed, or {@link #NO_SLOT}: then the access is one to a device, as a write
     * to a read-only slot is, too. Charges a slot lookup.
     *
     * <p>With {@code write} a frame that the host shares with others gets one of its own, which ends in a call of
     * {@link org.penumbra.api.mmu.Mmu#hostRangeChanged}: not to be asked for under a lock that this takes. The answer holds until
     * {@link #retry} says otherwise. KVM: {@code kvm_faultin_pfn}.
     */
    long pfn(long gfn, boolean write);

    /**
     * True if the host frame behind {@code gfn} may be mapped writable: it is not shared, nor in a read-only slot. Read together
     * with {@link #pfn}.
     */
    boolean writable(long gfn);

    /** The host frame behind {@code gfn} now, −1 if there is none or it is swapped out. Changes nothing: for audits, and for what may as well not be mapped. */
    long current(long gfn);

    /**
     * The generation of the slots, which rises with every step of a change, so that what was kept about an address of no slot can be
     * known to be old. While {@link #UPDATING} is set a change is going on, and nothing of that kind may be kept. KVM:
     * {@code struct kvm_memslots.generation}. Without a change of slots it is 0.
     */
    default long generation() {
        return 0;
    }

    /**
     * The number of host events so far: read before {@link #pfn}, and given to {@link #retry} when the answer is about to be put
     * into a translation. KVM: {@code mmu_invalidate_seq}.
     */
    long sequence();

    /**
     * True if a host event for {@code gfn} is going on, or any has happened since {@link #sequence} answered {@code since}: what was
     * looked up in between may not be used any more, and the access is repeated. Asked under the lock that
     * {@link org.penumbra.api.mmu.Mmu#hostRangeChanged} takes. KVM: {@code mmu_invalidate_retry_gfn}.
     */
    boolean retry(long since, long gfn);

    /**
     * The largest level at which the host maps {@code gfn} within one slot and one naturally aligned host page: 1 for 4 KiB, 2
     * for 2 MiB; 0 if no slot has it. Charges a slot lookup. KVM: {@code kvm_mmu_max_mapping_level}.
     */
    int mappingLevel(long gfn);

    /**
     * Reads {@code width} (1 to 8) bytes at {@code gpa} within one frame. Charges a slot lookup and a load.
     *
     * @throws GuestMemoryException if no slot has the address
     */
    long load(long gpa, int width);

    /**
     * Writes {@code width} (1 to 8) bytes at {@code gpa} within one frame, and logs the frame as dirty. May end in a call of
     * {@link org.penumbra.api.mmu.Mmu#hostRangeChanged} as {@link #pfn} does. Charges a slot lookup and a store.
     *
     * @throws GuestMemoryException if no slot has the address, or a read-only one
     */
    void store(long gpa, int width, long value);

    /**
     * Locked compare-and-set of the 8 bytes at {@code gpa} (aligned); true if they held {@code expected}. In a read-only slot
     * nothing is stored: a table in a ROM keeps its accessed and dirty bits (KVM: {@code update_accessed_dirty_bits}). Like a store
     * otherwise.
     *
     * @throws GuestMemoryException if no slot has the address
     */
    boolean compareAndSet(long gpa, long expected, long value);
}
