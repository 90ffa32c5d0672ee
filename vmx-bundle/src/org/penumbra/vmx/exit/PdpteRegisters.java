package org.penumbra.vmx.exit;

import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.vmx.Vcpu;

/** Loads the PDPTE registers in the guest's stead (SDM vol. 3, "PDPTE Registers"). KVM: load_pdptrs. */
public final class PdpteRegisters {
    private PdpteRegisters() {}

    /** {@code state} with the registers loaded from the table that its CR3 names; null if one of them must not be loaded: #GP(0). */
    public static PagingState load(Vcpu vcpu, PagingState state) {
        long table = state.root();
        Pdptes pdptes = new Pdptes(entry(vcpu, table), entry(vcpu, table + 8), entry(vcpu, table + 16), entry(vcpu, table + 24));
        return pdptes.allowed(vcpu.physicalAddressBits()) ? state.withPdptes(pdptes) : null;
    }

    private static long entry(Vcpu vcpu, long gpa) {
        try {
            return vcpu.guestMemory().load(gpa, 8);
        } catch (GuestMemoryException e) {
            // A read that nothing answers is all ones on a PC.
            return -1;
        }
    }
}
