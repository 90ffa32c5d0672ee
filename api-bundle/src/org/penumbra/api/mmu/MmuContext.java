package org.penumbra.api.mmu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * One vCPU's part of an MMU: KVM's {@code struct kvm_mmu}. Called by the thread that runs the vCPU, never while it is in the
 * guest.
 */
@ConsumerType
public interface MmuContext {
    /** Answer of {@link #gvaToGpa} when the guest's tables refuse the access. */
    long FAULT = -1;

    /**
     * Makes {@code state} the paging state: at start, and when a control register was loaded that exits. On return nothing that
     * the architecture drops on this load (unless {@code keepPcid}) is reachable from this vCPU, in structures or TLBs.
     *
     * @param keepPcid MOV to CR3 with bit 63 of its operand set, CR4.PCIDE = 1
     * @throws UnsupportedPagingException if the design cannot run a guest in this state
     */
    void load(PagingState state, boolean keepPcid);

    /**
     * Where the hardware walker starts; asked before every VM entry, so it is cheap when nothing changed and answers the same
     * object then. Builds a root if the last one is gone. KVM: {@code kvm_mmu_reload}.
     */
    TranslationRoot root();

    /**
     * Resolves {@code fault}, reading and completing its fields. With {@link Resolution#INJECT} nothing stale is left in the
     * structures for the address, since a page fault drops what is cached for it (SDM vol. 3, "Operations that Invalidate TLBs
     * and Paging-Structure Caches"); the processor, which raised the fault, has dropped its own entries.
     */
    Resolution resolve(MmuFault fault);

    /**
     * The processor met an entry for {@code fault.gpa} that is malformed: an EPT misconfiguration, a nested page fault for a reserved bit.
     * Designs may have made it so as a signal, for devices; the qualification says nothing then. Without an answer of its own the design
     * is taken to have made it by mistake. KVM: {@code handle_mmio_page_fault}.
     */
    default Resolution misconfigured(MmuFault fault) {
        fault.reason = String.format("the MMU made an entry for guest-physical address 0x%x that the processor refuses", fault.gpa);
        return Resolution.HOST_ERROR;
    }

    /**
     * The processor found nothing in the sub-page permission table ({@link org.penumbra.api.paging.EptFeatures}) for a write to
     * {@code fault.gpa}: an SPPT miss. Without an answer of its own the design is taken to have forgotten it.
     */
    default Resolution subPageMissing(MmuFault fault) {
        fault.reason = String.format("the MMU made no sub-page permissions for guest-physical address 0x%x, and an entry that needs them", fault.gpa);
        return Resolution.HOST_ERROR;
    }

    /**
     * The guest executed an INVLPG of {@code gva} that exits, or a page fault for it that no processor raised is about to be
     * injected: on return nothing stale is reachable for it from this vCPU, in structures or TLBs.
     */
    void invalidatePage(long gva);

    /**
     * The guest executed an INVPCID that exits: on return nothing that it drops is reachable from this vCPU, in structures or TLBs.
     *
     * @param type 0: {@code gva} under {@code pcid}; 1: everything under {@code pcid}; 2: everything; 3: everything but what is
     *     global (SDM vol. 2, "INVPCID—Invalidate Process-Context Identifier"); dropping more is allowed
     */
    void invalidatePcid(int type, int pcid, long gva);

    /**
     * Walks the guest's own tables in software for an access of kind {@code access}, setting accessed and dirty bits as a
     * processor would. KVM: {@code gva_to_gpa}.
     *
     * @param state the guest's paging state now; it may have changed without an exit since the last {@link #load}
     * @return the gpa, or {@link #FAULT} with {@code fault.gva} and {@code fault.errorCode} set for injection
     */
    long gvaToGpa(PagingState state, long gva, int access, MmuFault fault);
}
