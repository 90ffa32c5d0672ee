package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;

/**
 * The EPT or nested tables that a hypervisor which is a guest itself keeps for its own guest (EPT12, NPT12): one slot, filled page by page when
 * they refuse an access, as KVM does (SDM vol. 3, "EPT Translation Mechanism"; APM vol. 2, "Nested Paging"). An entry that names a table has
 * bits 2:0 set in both: R, W and X, or P, R/W and U/S.
 */
final class NestedTables implements HypervisorMmu {
    private static final long RIGHTS = 7;
    private static final long LARGE = 1 << 7;

    private final ControlBlock control;
    private final HypervisorTables tables;
    private final long base;
    private final int leafLevel;
    private final boolean unpaged;

    /**
     * No tables yet.
     *
     * @param base gpa at which the guest's address 0 lies
     * @param leafLevel 1: pages of 4 KiB; 2: of 2 MiB
     * @param unpaged the guest begins without paging
     */
    NestedTables(ControlBlock control, FrameAllocator frames, GuestLayout layout, long base, int leafLevel, boolean unpaged) {
        this.control = control;
        this.tables = new HypervisorTables(frames, layout, RIGHTS);
        this.base = base;
        this.leafLevel = leafLevel;
        this.unpaged = unpaged;
    }

    @Override
    public void start(StepBuffer out) {
        control.useTables(tables.begin(out), unpaged, out);
    }

    @Override
    public boolean begin(ControlBlock.Exit exit, StepBuffer out) {
        if (exit != ControlBlock.Exit.REFUSED) {
            return false;
        }
        control.readRefused(out);
        return true;
    }

    @Override
    public boolean go(long rax, StepBuffer out) {
        long page = base + HypervisorTables.page(rax, leafLevel);
        tables.map(rax, leafLevel, page | control.pageBits() | (leafLevel > 1 ? LARGE : 0), out);
        return true;
    }
}
