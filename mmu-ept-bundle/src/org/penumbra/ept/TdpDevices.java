package org.penumbra.ept;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.kit.MmioSptes;
import org.penumbra.kit.MmuLock;

/**
 * Entries by which the processor tells accesses to what no slot has, devices, from those to what is only not mapped. They hold the generation of the
 * slots. Once it has outgrown what an entry holds there are no new ones, since an old one might be taken for current.
 */
final class TdpDevices {
    private final TdpMmu mmu;
    private final TdpFormat format;
    /** Null if the format has no room for such entries. */
    private final MmioSptes mmio;
    private final Counter created;

    TdpDevices(TdpMmu mmu) {
        this.mmu = mmu;
        this.format = mmu.format;
        this.mmio = format.mmioSptes(mmu.host.physicalAddressBits());
        this.created = mmu.host.counters().counter("pf_mmio_spte_created");
    }

    private boolean able(long generation) {
        return mmio != null && generation >>> MmioSptes.GENERATION_BITS == 0;
    }

    /** Marks {@code gfn}, which no slot has under {@code generation}. KVM: mark_mmio_spte. */
    void mark(long gfn, long generation, MmuLock.Share share, FrameAccess entries, CycleClock clock) {
        if (!able(generation) || gfn >>> 9 * mmu.levels() != 0) {
            return;
        }
        try (MmuLock.Held held = share.shared()) {
            long at = mmu.topEntry(gfn);
            for (int level = mmu.levels(); level > 1; level--) {
                long entry = entries.load(at);
                if (entry == TdpFormat.FROZEN || format.present(entry) && TdpFormat.leaf(entry, level)) {
                    return;
                }
                long table = format.present(entry) ? entry : mmu.extend(at, level - 1, gfn, entries, clock);
                at = TdpFormat.address(table) + 8L * TdpFormat.index(gfn, level - 1);
            }
            long entry = entries.load(at);
            if (entry != TdpFormat.FROZEN && !format.present(entry) && entries.compareAndSet(at, entry, mmio.make(gfn, 0, generation))) {
                created.increment();
            }
        }
    }

    /** True if {@code gfn} is marked as a device's under {@code generation}. KVM: handle_mmio_page_fault. */
    boolean marked(long gfn, long generation, MmuLock.Share share, FrameAccess entries) {
        try (MmuLock.Held held = share.shared()) {
            long at = mmu.topEntry(gfn);
            long entry = entries.load(at);
            for (int level = mmu.levels() - 1; level > 0 && format.present(entry) && !TdpFormat.leaf(entry, level + 1); level--) {
                at = TdpFormat.address(entry) + 8L * TdpFormat.index(gfn, level);
                entry = entries.load(at);
            }
            return able(generation) && mmio.is(entry) && mmio.current(entry, generation);
        }
    }
}
