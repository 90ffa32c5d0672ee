package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.paging.TranslationRoot;

/**
 * One vCPU's part of an MMU while it runs a guest of its guest (L2 of L1): KVM's {@code guest_mmu}. Its paging state is L2's, its faults
 * are EPT violations or nested page faults at addresses of L2, and {@link #gvaToGpa} answers addresses of L1.
 *
 * <p>What L1 has to see is {@link Resolution#INJECT} with {@link MmuFault#nested} set: an EPT violation, an EPT misconfiguration or a nested
 * page fault with {@link MmuFault#gpa} and {@link MmuFault#qualification} as a processor would report it by L1's tables. Nothing stale is
 * left for the address then (SDM vol. 3, "Operations that Invalidate Cached Mappings": EPT violations). Dirty flags are set in EPT tables of L1 as
 * {@link MmuContextHost#mayLog12} says.
 */
@ConsumerType
public interface NestedContext extends MmuContext {
    /**
     * L2's addresses are translated by the tables of L1 that {@code tables12} names, from now on: EPT12 or NPT12. Before {@link #root} is
     * asked. What was derived from the same tables before may still be used, since only {@link #invalidateTables} has to drop it.
     */
    void enter(TranslationRoot tables12);

    /**
     * L1 executed INVEPT, or VMRUN with a TLB_CONTROL: on return nothing that it drops is reachable from this vCPU, in structures or TLBs.
     *
     * @param all of every table of L1; otherwise of those that {@code tables12} names
     */
    void invalidateTables(boolean all, TranslationRoot tables12);
}
