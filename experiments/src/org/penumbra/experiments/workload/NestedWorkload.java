package org.penumbra.experiments.workload;

import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.HypervisorGuest;

/** Another workload in a guest of the guest, whose hypervisor has EPT tables for it. Immutable. */
final class NestedWorkload implements Workload {
    private final Workload inner;
    private final int leafLevel;

    /** @param leafLevel of the guest hypervisor's EPT tables */
    NestedWorkload(Workload inner, int leafLevel) {
        this.inner = inner;
        this.leafLevel = leafLevel;
    }

    @Override
    public String description() {
        return "in a guest's guest, with EPT pages of " + (leafLevel == 1 ? "4 KiB: " : "2 MiB: ") + inner.description();
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new HypervisorGuest(inner.prepare(seed, mode), leafLevel);
    }

    @Override
    public String inputIdentity() {
        return "nested 1 on level " + leafLevel + ", " + inner.inputIdentity();
    }

    @Override
    public long expectedOperations() {
        return inner.expectedOperations();
    }
}
