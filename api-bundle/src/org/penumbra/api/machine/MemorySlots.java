package org.penumbra.api.machine;

import java.util.List;
import java.util.function.LongConsumer;
import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;

/**
 * User space's side of a machine's memory slots. A change happens while no vCPU is in the guest and no host event goes on, and the
 * guest meets it at its next access. Any thread but those of the machine's own vCPUs.
 *
 * <p>Slots lead into one host address space of 2^47 bytes, whose pages exist from their first use on, so that two slots may show
 * the same pages (aliases). A machine begins with slot 0: all memory of its configuration at gpa 0, from hva 0.
 */
@ProviderType
public interface MemorySlots {
    /** Slots have numbers from 0 up to, not including, this. KVM: {@code KVM_USER_MEM_SLOTS}. */
    int MOST = 32_767;
    /** The largest number of frames of a slot. KVM: {@code KVM_MEM_MAX_NR_PAGES}. */
    long MOST_FRAMES = (1L << 31) - 1;

    /**
     * Creates slot {@code id}; moves the one that has this number to another {@code gpa}, or changes its dirty logging; or, with
     * {@code bytes} 0, deletes it. What a deleted slot's log held is gone; the pages stay in the host address space. KVM:
     * {@code KVM_SET_USER_MEMORY_REGION}.
     *
     * @param flags of {@link MemorySlot}
     * @param gpa multiple of 4096
     * @param bytes multiple of 4096
     * @param hva multiple of 4096
     * @throws org.penumbra.api.interrupt.ErrnoException EEXIST if another slot has some of the addresses; EINVAL if a value is not
     *     aligned, too large or unknown, if there is nothing to delete, or if an existing slot is to get another size, other pages
     *     or another {@link MemorySlot#READONLY}
     * @throws MachineException if the design cannot log dirty pages, or the gate does not close in time
     */
    void set(int id, int flags, long gpa, long bytes, long hva);

    /** All slots, by ascending gpa. */
    List<MemorySlot> all();

    /** Rises with every step of a change: see {@link GuestMemory#generation}. */
    long generation();

    /**
     * Tells every gfn of slot {@code id} that was written since the last harvest, in ascending order, and begins anew; see
     * {@link DirtyLogControl#harvest}. KVM: {@code KVM_GET_DIRTY_LOG}.
     *
     * @throws org.penumbra.api.interrupt.ErrnoException ENOENT if there is no such slot, or it is not logged
     */
    void harvest(int id, LongConsumer gfns);
}
