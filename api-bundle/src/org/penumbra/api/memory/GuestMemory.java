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

    /** The host frame behind {@code gfn}, faulted in if needed, or {@link #NO_SLOT}. Charges a slot lookup. */
    long pfn(long gfn);

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
     * Writes {@code width} (1 to 8) bytes at {@code gpa} within one frame. Charges a slot lookup and a store.
     *
     * @throws GuestMemoryException if no slot has the address
     */
    void store(long gpa, int width, long value);

    /**
     * Locked compare-and-set of the 8 bytes at {@code gpa} (aligned); true if they held {@code expected}.
     *
     * @throws GuestMemoryException if no slot has the address
     */
    boolean compareAndSet(long gpa, long expected, long value);
}
