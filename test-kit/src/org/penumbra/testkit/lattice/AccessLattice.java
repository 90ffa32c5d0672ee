package org.penumbra.testkit.lattice;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.Verification;
import org.penumbra.api.verify.VerificationGuest;

/** The verification {@code lattice}: rights, faults, accessed and dirty bits of every combination of entry bits and registers. */
@Component(property = Verification.VERIFICATION_NAME + "=lattice")
public final class AccessLattice implements Verification {
    @Override
    public String description() {
        return "rights, error codes, accessed and dirty bits: every combination of entry bits, control bits and kinds of access";
    }

    @Override
    public long vectors(PagingMode mode, int physicalAddressBits) {
        return new Lattice(mode, physicalAddressBits).size();
    }

    @Override
    public VerificationGuest guest(VectorSelection selection) {
        LatticeGuest guest = new LatticeGuest(selection);
        if (selection.nesting() == Nesting.SHADOW && selection.mode() == PagingMode.NONE) {
            throw new IllegalArgumentException("without EPT of its hypervisor a guest has to have paging; choose another mode, or --nested "
                    + Nesting.EPT.label());
        }
        return selection.nesting() == Nesting.NONE ? guest : new NestedLattice(guest, selection);
    }
}
