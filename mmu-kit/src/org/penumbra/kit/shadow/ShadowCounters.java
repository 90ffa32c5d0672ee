package org.penumbra.kit.shadow;

import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;

/** The counters of shadow paging, under KVM's names where KVM counts the same. */
final class ShadowCounters {
    final Counter pfTaken;
    final Counter pfFixed;
    final Counter pfGuest;
    final Counter pfEmulate;
    final Counter pfSpurious;
    final Counter pfFast;
    final Counter pfMmioSpteCreated;
    final Counter mmuCacheMiss;
    final Counter mmuRecycled;
    final Counter nxLpageSplits;
    final Counter handleMmioPageFault;
    final Counter mmuShadowZapped;
    final Counter mmuPteWrite;
    final Counter mmuPdeZapped;
    final Counter mmuFlooded;
    final Counter mmuUnsyncPage;
    final Counter mmuSyncPage;
    final Counter previousRootHit;
    final Counter previousRootMiss;

    ShadowCounters(Counters counters) {
        pfTaken = counters.counter("pf_taken");
        pfFixed = counters.counter("pf_fixed");
        pfGuest = counters.counter("pf_guest");
        pfEmulate = counters.counter("pf_emulate");
        pfSpurious = counters.counter("pf_spurious");
        pfFast = counters.counter("pf_fast");
        pfMmioSpteCreated = counters.counter("pf_mmio_spte_created");
        mmuCacheMiss = counters.counter("mmu_cache_miss");
        mmuRecycled = counters.counter("mmu_recycled");
        nxLpageSplits = counters.counter("nx_lpage_splits");
        handleMmioPageFault = counters.counter("handle_mmio_page_fault");
        mmuShadowZapped = counters.counter("mmu_shadow_zapped");
        mmuPteWrite = counters.counter("mmu_pte_write");
        mmuPdeZapped = counters.counter("mmu_pde_zapped");
        mmuFlooded = counters.counter("mmu_flooded");
        mmuUnsyncPage = counters.counter("mmu_unsync_page");
        mmuSyncPage = counters.counter("mmu_sync_page");
        previousRootHit = counters.counter("previous_root_hit");
        previousRootMiss = counters.counter("previous_root_miss");
    }
}
