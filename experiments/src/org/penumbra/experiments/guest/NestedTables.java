package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.guest.StepBuffer;

/**
 * The EPT or nested tables that a hypervisor which is a guest itself keeps for its own guest (EPT12, NPT12): one slot, filled page by page when
 * they refuse an access, as KVM does (SDM vol. 3, "EPT Translation Mechanism"; APM vol. 2, "Nested Paging"). An entry that names a table has
 * bits 2:0 set in both: R, W and X, or P, R/W and U/S.
 */
final class NestedTables implements HypervisorMmu {
    private static final long RIGHTS = 7;
    private static final long LARGE = 1 << 7;
    private static final int LEVELS = 4;

    private final ControlBlock control;
    private final FrameAllocator frames;
    private final GuestLayout layout;
    private final long base;
    private final int leafLevel;
    private final boolean unpaged;
    private long root;
    /** gpa of each table below the root, by level and by the bits of the addresses that it translates. */
    private final Map<Long, Long> tables = new HashMap<>();

    /**
     * No tables yet.
     *
     * @param base gpa at which the guest's address 0 lies
     * @param leafLevel 1: pages of 4 KiB; 2: of 2 MiB
     * @param unpaged the guest begins without paging
     */
    NestedTables(ControlBlock control, FrameAllocator frames, GuestLayout layout, long base, int leafLevel, boolean unpaged) {
        this.control = control;
        this.frames = frames;
        this.layout = layout;
        this.base = base;
        this.leafLevel = leafLevel;
        this.unpaged = unpaged;
    }

    @Override
    public void start(StepBuffer out) {
        root = table(out);
        control.useTables(root, unpaged, out);
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
        map(rax, out);
        return true;
    }

    /** Maps the page around {@code gpa} of the guest. KVM: direct_map. */
    private void map(long gpa, StepBuffer out) {
        long table = root;
        for (int level = LEVELS; level > leafLevel; level--) {
            long at = entry(table, gpa, level);
            out.loadEntry(at, 8);
            long key = gpa >>> shift(level) << 3 | level;
            Long below = tables.get(key);
            if (below == null) {
                below = table(out);
                tables.put(key, below);
                out.store(at, 8, below | RIGHTS);
            }
            table = below;
        }
        long page = base + (gpa & -1L << shift(leafLevel));
        out.store(entry(table, gpa, leafLevel), 8, page | control.pageBits() | (leafLevel > 1 ? LARGE : 0));
    }

    private long table(StepBuffer out) {
        long page = frames.allocate();
        out.store(layout.direct(page), (int) PAGE, 0);
        return page;
    }

    private long entry(long table, long gpa, int level) {
        return layout.direct(table + 8 * (gpa >>> shift(level) & 511));
    }

    private static int shift(int level) {
        return 12 + 9 * (level - 1);
    }
}
