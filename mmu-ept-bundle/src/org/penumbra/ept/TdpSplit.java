package org.penumbra.ept;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.kit.PageGauges;

/**
 * Puts a table that maps the same in the place of a 2 MiB leaf. Processors may go on using what they have cached of the leaf: who
 * changes something in the table flushes then. KVM: tdp_mmu_split_huge_page. Any thread.
 */
final class TdpSplit {
    private final TdpFormat format;
    private final FrameLease lease;
    private final Counter splits;
    private final PageGauges mapped;
    private final TdpTables tables;

    TdpSplit(TdpFormat format, MmuHost host, PageGauges mapped, TdpTables tables) {
        this.format = format;
        this.lease = host.lease();
        this.splits = host.counters().counter("ept_splits");
        this.mapped = mapped;
        this.tables = tables;
    }

    /** Splits {@code large}, the leaf for {@code gfn} at {@code at}; answers the new entry, 0 if another is there meanwhile. */
    long split(long at, long large, long gfn, FrameAccess entries, Tracing.Tracer trace, CycleClock clock) {
        long table = lease.allocate(clock);
        for (int i = 0; i < 512; i++) {
            entries.store(table + 8L * i, format.piece(large, i));
        }
        if (!entries.compareAndSet(at, large, format.table(table))) {
            lease.free(table);
            return 0;
        }
        splits.increment();
        tables.made(1, gfn);
        if (trace.on(TracePoint.KVM_MMU_SPLIT_HUGE_PAGE)) {
            trace.tell(TracePoint.KVM_MMU_SPLIT_HUGE_PAGE, gfn, large, 2, 0);
        }
        mapped.add(2, -1);
        mapped.add(1, 512);
        return format.table(table);
    }
}
