package org.penumbra.ept;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters.Counter;

/**
 * Gives tables of 4 KiB leaves up, with those above that nothing is left in: the oldest first, but for those through which the processor has
 * gone since they were looked at last, if it sets accessed flags. What they map comes back with the next violation. KVM has it for shadow pages
 * (kvm_mmu_zap_oldest_mmu_pages), and not for its TDP MMU. Used under the lock of the MMU, alone.
 */
final class TdpReclaim {
    private final TdpFormat format;
    private final MmuHost host;
    private final FrameLease lease;
    private final TdpTables tables;
    private final boolean flags;
    private final Counter recycled;

    TdpReclaim(TdpFormat format, MmuHost host, TdpTables tables, boolean accessedFlags) {
        this.format = format;
        this.host = host;
        this.lease = host.lease();
        this.tables = tables;
        this.flags = accessedFlags;
        this.recycled = host.counters().counter("mmu_recycled");
    }

    /** Gives {@code wanted} tables up, or as many as there are; true if there was one. */
    boolean run(TdpTree tree, TdpDirty dirty, int wanted) {
        List<TdpTree.Unlinked> out = new ArrayList<>();
        int spared = 0;
        int most = tables.leafTables();
        for (long gfn = tables.takeOldest(); gfn >= 0; gfn = tables.takeOldest()) {
            if (flags && spared < most && tree.usedTable(gfn)) {
                spared++;
                tables.putBack(gfn);
                continue;
            }
            tree.unlink(gfn, out);
            if (out.size() >= wanted) {
                break;
            }
        }
        if (out.isEmpty()) {
            return false;
        }
        // Until then processors may set flags in them.
        host.flushRemoteTlbs(tree.clock);
        for (TdpTree.Unlinked table : out) {
            tree.harvest(table, dirty);
            lease.free(table.address());
        }
        tables.gone(out.size());
        recycled.add(out.size());
        return true;
    }
}
