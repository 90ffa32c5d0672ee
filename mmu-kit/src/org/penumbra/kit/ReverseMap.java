package org.penumbra.kit;

import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;

/**
 * From a guest frame to every leaf spte that maps it, by page size: KVM's rmap. Costs memory only for frames that are mapped.
 * Guarded by the MMU's lock.
 */
public final class ReverseMap {
    private static final PteList NONE = new PteList();

    private final LongObjectHashMap<PteList> lists = new LongObjectHashMap<>();

    /** Adds the spte at {@code sptep}, which maps {@code gfn} by a page of {@code level}. */
    public void add(long gfn, int level, long sptep, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        lists.getIfAbsentPut(key(gfn, level), PteList::new).add(sptep);
    }

    /** Removes the spte at {@code sptep}; false if it was not recorded, which is an error of the caller. */
    public boolean remove(long gfn, int level, long sptep, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        long key = key(gfn, level);
        PteList list = lists.get(key);
        if (list == null || !list.remove(sptep)) {
            return false;
        }
        if (list.size() == 0) {
            lists.remove(key);
        }
        return true;
    }

    /** The sptes that map {@code gfn} by pages of {@code level}; a view, empty if there are none. */
    public PteList of(long gfn, int level, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        return list(gfn, level);
    }

    /** Number of recorded sptes. */
    public long size() {
        long n = 0;
        for (PteList list : lists) {
            n += list.size();
        }
        return n;
    }

    /** True if the spte at {@code sptep} is recorded for {@code gfn} and {@code level}. Charges nothing: for audits. */
    public boolean contains(long gfn, int level, long sptep) {
        PteList list = list(gfn, level);
        for (int i = 0; i < list.size(); i++) {
            if (list.get(i) == sptep) {
                return true;
            }
        }
        return false;
    }

    private PteList list(long gfn, int level) {
        PteList list = lists.get(key(gfn, level));
        return list == null ? NONE : list;
    }

    private static long key(long gfn, int level) {
        long first = gfn & -(1L << 9 * (level - 1));
        return first << 3 | level;
    }
}
