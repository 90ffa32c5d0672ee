package org.penumbra.kit;

import java.util.List;
import java.util.stream.Stream;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;

/**
 * From a guest frame to every leaf spte that maps it, by page size: KVM's rmap. Costs memory only for frames that are mapped.
 *
 * <p>{@link #add} may be called by several threads at once, each for an spte of its own; everything else needs that nobody adds.
 */
public final class ReverseMap {
    private static final PteList NONE = new PteList();

    private static final int STRIPES = 64;

    /** By number of the 2 MiB around a frame; each guarded by itself while entries are added. */
    private final List<LongObjectHashMap<PteList>> stripes = Stream.generate(LongObjectHashMap<PteList>::new).limit(STRIPES).toList();

    /** Adds the spte at {@code sptep}, which maps {@code gfn} by a page of {@code level}. */
    public void add(long gfn, int level, long sptep, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        long key = key(gfn, level);
        LongObjectHashMap<PteList> lists = stripe(key);
        synchronized (lists) {
            lists.getIfAbsentPut(key, PteList::new).add(sptep);
        }
    }

    /** Removes the spte at {@code sptep}; false if it was not recorded, which is an error of the caller. */
    public boolean remove(long gfn, int level, long sptep, CycleClock clock) {
        clock.charge(Work.HASH_PROBE);
        long key = key(gfn, level);
        LongObjectHashMap<PteList> lists = stripe(key);
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
        for (LongObjectHashMap<PteList> lists : stripes) {
            for (PteList list : lists) {
                n += list.size();
            }
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
        long key = key(gfn, level);
        PteList list = stripe(key).get(key);
        return list == null ? NONE : list;
    }

    private LongObjectHashMap<PteList> stripe(long key) {
        // The frames of 2 MiB have one stripe, since vCPUs tend to work in places of their own; bits 2:0 are the level.
        return stripes.get((int) (key >>> 12 ^ key >>> 18) & STRIPES - 1);
    }

    private static long key(long gfn, int level) {
        long first = gfn & -(1L << 9 * (level - 1));
        return first << 3 | level;
    }
}
