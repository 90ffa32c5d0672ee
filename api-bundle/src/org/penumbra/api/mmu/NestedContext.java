package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * One vCPU's part of an MMU while it runs a guest of its guest (L2 of L1): KVM's {@code guest_mmu}. Its paging state is L2's, its faults
 * are EPT violations at addresses of L2, and {@link #gvaToGpa} answers addresses of L1.
 *
 * <p>What L1 has to see is {@link Resolution#INJECT} with {@link MmuFault#nested} set: an EPT violation or misconfiguration with
 * {@link MmuFault#gpa} and {@link MmuFault#qualification} as a processor would report it by EPT12. Nothing stale is left for the address
 * then (SDM vol. 3, "Operations that Invalidate Cached Mappings": EPT violations).
 */
@ConsumerType
public interface NestedContext extends MmuContext {
    /**
     * L2's addresses are translated by the EPT tables of L1 that {@code eptp12} names, from now on. Before {@link #root} is asked. What was
     * derived from the same tables before may still be used, since only {@link #invalidateEpt} has to drop it.
     */
    void enter(long eptp12);

    /**
     * L1 executed INVEPT: on return nothing that it drops is reachable from this vCPU, in structures or TLBs.
     *
     * @param all of type 2, all-context; otherwise type 1, of the tables that {@code eptp12} names
     */
    void invalidateEpt(boolean all, long eptp12);
}
