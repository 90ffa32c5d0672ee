package org.penumbra.experiments.workload;

import java.util.Optional;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.HypervisorGuest;

/** Another workload in a guest of the guest. Immutable. */
final class NestedWorkload implements Workload {
    private final Workload inner;
    private final HypervisorGuest.Mmu mmu;

    /** @param mmu how its hypervisor virtualises its memory */
    NestedWorkload(Workload inner, HypervisorGuest.Mmu mmu) {
        this.inner = inner;
        this.mmu = mmu;
    }

    @Override
    public String description() {
        return "in a guest's guest by " + mmu.title() + ": " + inner.description();
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new HypervisorGuest(inner.prepare(seed, mode), mode, mmu);
    }

    @Override
    public Optional<VirtualizationExtension> needsExtension() {
        return Optional.of(mmu.extension());
    }

    @Override
    public boolean needsNestedPaging() {
        return !mmu.shadows();
    }

    @Override
    public String inputIdentity() {
        return "nested 1 by " + mmu.title() + ", " + inner.inputIdentity();
    }

    @Override
    public long expectedOperations() {
        return inner.expectedOperations();
    }
}
