package org.penumbra.kit;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.observe.Counters.Counter;

/**
 * The shadow pages of one virtual machine: by (gfn, role), by gfn, and by the address of their table. Guarded by the MMU's
 * lock.
 */
public final class ShadowPageCache {
    private static final List<ShadowPage> NONE = List.of();
    /** KVM: KVM_MMU_HASH_SHIFT, GOLDEN_RATIO_64 of hash_64. */
    private static final int KVM_HASH_BITS = 12;
    private static final long KVM_HASH_FACTOR = 0x61C8_8646_80B5_83EBL;

    private final FrameLease lease;
    private final LongObjectHashMap<ShadowPage> byKey = new LongObjectHashMap<>();
    private final LongObjectHashMap<List<ShadowPage>> indirectByGfn = new LongObjectHashMap<>();
    private final LongObjectHashMap<ShadowPage> bySpt = new LongObjectHashMap<>();
    /** Those that are listed, the oldest first. KVM: active_mmu_pages, the other way round. */
    private final LinkedHashSet<ShadowPage> active = new LinkedHashSet<>();
    /** Pages by chain of the hash table that KVM has, and by gfn. */
    private final int[] chains = new int[1 << KVM_HASH_BITS];
    private final GfnCounts pagesOf = new GfnCounts();
    private final Counter mostCollisions;
    private volatile int generation;

    /** @param mostCollisions shows how many pages of other gfns KVM's hash table would have had in the chain of a search, at most */
    public ShadowPageCache(FrameLease lease, Counter mostCollisions) {
        this.lease = lease;
        this.mostCollisions = mostCollisions;
    }

    private static int chain(long gfn) {
        return (int) (gfn * KVM_HASH_FACTOR >>> 64 - KVM_HASH_BITS);
    }

    /** The page for (gfn, role), or null; no obsolete one. Charges a hash probe. */
    public ShadowPage find(long gfn, int role, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        ShadowPage page = byKey.get(Role.key(gfn, role));
        return page == null || obsolete(page) ? null : page;
    }

    /** A new page with empty sptes; there is none for (gfn, role). Charges the frame. */
    public ShadowPage create(long gfn, int role, CycleClock clock) {
        ShadowPage page = new ShadowPage(gfn, role, lease.allocate(clock), generation);
        byKey.put(Role.key(gfn, role), page);
        active.add(page);
        bySpt.put(page.spt, page);
        long collisions = chains[chain(gfn)]++ - pagesOf.get(gfn);
        pagesOf.add(gfn, 1);
        mostCollisions.add(Math.max(0, collisions - mostCollisions.value()));
        if (!page.direct()) {
            indirectByGfn.getIfAbsentPut(gfn, () -> new ArrayList<>(1)).add(page);
        }
        return page;
    }

    /** The page whose table contains the spte at {@code sptep}, or is at that address; it exists. */
    public ShadowPage containing(long sptep) {
        return bySpt.get(sptep & -4096L);
    }

    /** Indirect pages that shadow the table in {@code gfn}; a view: copy it before changing the cache. Charges a hash probe. */
    public List<ShadowPage> shadowing(long gfn, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        List<ShadowPage> found = indirectByGfn.get(gfn);
        return found == null ? NONE : found;
    }

    /** Makes {@code page} unfindable by (gfn, role) and by gfn; its table stays until {@link #free}. */
    public void unlist(ShadowPage page) {
        active.remove(page);
        chains[chain(page.gfn)]--;
        pagesOf.add(page.gfn, -1);
        // In the place of an obsolete page there may be a new one.
        if (byKey.get(Role.key(page.gfn, page.role)) == page) {
            byKey.remove(Role.key(page.gfn, page.role));
        }
        if (!page.direct()) {
            List<ShadowPage> pages = indirectByGfn.get(page.gfn);
            pages.remove(page);
            if (pages.isEmpty()) {
                indirectByGfn.remove(page.gfn);
            }
        }
    }

    /** Gives the table of an unlisted {@code page} back. */
    public void free(ShadowPage page) {
        bySpt.remove(page.spt);
        lease.free(page.spt);
    }

    /** From now on every page there is is obsolete: never found again, and to be zapped by and by. KVM: mmu_valid_gen. */
    public void obsoleteAll() {
        generation++;
    }

    /** The generation of pages that are made now. */
    public int generation() {
        return generation;
    }

    /** True if {@code page} is of a generation before the current one. KVM: is_obsolete_sp. */
    public boolean obsolete(ShadowPage page) {
        return page.generation != generation;
    }

    /** Listed pages, the oldest first; a view. */
    public Collection<ShadowPage> active() {
        return active;
    }

    /** Every page that has a table, invalid roots included. */
    public Collection<ShadowPage> all() {
        return bySpt.values();
    }
}
