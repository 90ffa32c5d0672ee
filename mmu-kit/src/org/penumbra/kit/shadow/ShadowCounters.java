package org.penumbra.kit.shadow;

import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.kit.Gauge;
import org.penumbra.kit.PageGauges;

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
    final Counter maxMmuPageHashCollisions;
    final Counter handleMmioPageFault;
    final Counter mmuShadowZapped;
    final Counter mmuPteWrite;
    final Counter mmuPdeZapped;
    final Counter mmuFlooded;
    final Counter mmuUnsyncPage;
    final Counter mmuSyncPage;
    final Counter previousRootHit;
    final Counter previousRootMiss;
    final Gauge mmuUnsync;
    final Gauge nxLpageSplits;
    final PageGauges mapped;

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
        maxMmuPageHashCollisions = counters.counter("max_mmu_page_hash_collisions");
        handleMmioPageFault = counters.counter("handle_mmio_page_fault");
        mmuShadowZapped = counters.counter("mmu_shadow_zapped");
        mmuPteWrite = counters.counter("mmu_pte_write");
        mmuPdeZapped = counters.counter("mmu_pde_zapped");
        mmuFlooded = counters.counter("mmu_flooded");
        mmuUnsyncPage = counters.counter("mmu_unsync_page");
        mmuSyncPage = counters.counter("mmu_sync_page");
        previousRootHit = counters.counter("previous_root_hit");
        previousRootMiss = counters.counter("previous_root_miss");
        mmuUnsync = new Gauge(counters.counter("mmu_unsync"));
        nxLpageSplits = new Gauge(counters.counter("nx_lpage_splits"));
        mapped = new PageGauges(counters);
    }

    /** The MMU closes: what it has there is not there any more. */
    void takeBack() {
        mmuUnsync.takeBack();
        nxLpageSplits.takeBack();
        mapped.takeBack();
    }
}
