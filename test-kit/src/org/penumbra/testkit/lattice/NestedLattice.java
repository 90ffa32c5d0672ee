package org.penumbra.testkit.lattice;

import java.util.List;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.testkit.nested.Meddler;
import org.penumbra.testkit.nested.NestedGuest;

/** The lattice in a guest of a guest. One thread. */
final class NestedLattice implements VerificationGuest {
    private final LatticeGuest lattice;
    private final Nesting nesting;
    private final GuestBoot boot;

    NestedLattice(LatticeGuest lattice, VectorSelection selection) {
        this.lattice = lattice;
        this.nesting = selection.nesting();
        this.boot = new NestedGuest(List.of(lattice), nesting, selection.physicalAddressBits(), Meddler.NONE);
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        return boot.boot(loader, vcpus, memoryBytes);
    }

    @Override
    public String engine() {
        return lattice.engine();
    }

    @Override
    public long memoryBytes() {
        return NestedGuest.memoryBytes(nesting, 1, lattice.memoryBytes());
    }

    @Override
    public PagingState bootState() {
        return lattice.bootState();
    }

    @Override
    public long planned() {
        return lattice.planned();
    }

    @Override
    public long done() {
        return lattice.done();
    }

    @Override
    public VerificationReport report() {
        return lattice.report();
    }
}
