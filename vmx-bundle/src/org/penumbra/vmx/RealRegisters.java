package org.penumbra.vmx;

import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Vmcs;

/**
 * What the control registers really hold while a guest runs, and what it reads: the guest's values with the bits that the MMU
 * forces. CR3 is the MMU's to say.
 */
final class RealRegisters {
    /** CR4 bits that come into effect with paging. */
    private static final long PAGING_RIGHTS = ControlBits.CR4_SMEP | ControlBits.CR4_SMAP | ControlBits.CR4_PKE | ControlBits.CR4_PKS;

    private RealRegisters() {}

    /** Puts {@code state} into the guest-state area and the read shadows of {@code vmcs}. */
    static void load(Vmcs vmcs, PagingState state, ControlDemand demand) {
        vmcs.cr0ReadShadow = state.cr0();
        vmcs.cr4ReadShadow = state.cr4();
        vmcs.guestCr0 = state.cr0() | demand.forcedCr0();
        vmcs.guestCr4 = state.cr4() | demand.forcedCr4();
        vmcs.guestEfer = state.efer() | demand.forcedEfer();
        vmcs.guestPdptes = state.pdptes();
        boolean secretlyPaged = !state.has0(ControlBits.CR0_PG) && (demand.forcedCr0() & ControlBits.CR0_PG) != 0;
        if (secretlyPaged) {
            // A guest that pages nothing knows no rights (KVM: vmx_set_cr4), and real paging with LME = 1 would be IA-32e mode, which
            // VM entry refuses as long as LMA = 0 (SDM vol. 3, "Checks on Guest Control Registers, Debug Registers, and MSRs").
            vmcs.guestCr4 &= ~PAGING_RIGHTS;
            vmcs.guestEfer &= ~ControlBits.EFER_LME;
        }
    }
}
