package org.penumbra.testkit.tlb;

import java.util.Arrays;
import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.penumbra.testkit.reference.TableFormat;

/**
 * When one vCPU last had to drop what: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches" and "Details of
 * TLB Use".
 *
 * <pre>
 *                            TLB, not global           TLB, global               paging-structure caches
 *  MOV CR3 without keep      the PCID                  –                         the PCID
 *  INVLPG                    the page, current PCID    the page                  current PCID
 *  page fault                the page, current PCID    –                         for the address, current PCID
 *  INVPCID 0                 the page, its PCID        –                         for the address, its PCID
 *  INVPCID 1                 its PCID                  –                         its PCID
 *  INVPCID 2                 all                       all                       all
 *  INVPCID 3                 all                       –                         all
 *  PG 1→0, PGE, PCIDE 1→0    all                       all                       all
 *  PAE, SMEP 0→1             current PCID              –                         current PCID
 *  PSE, WP, SMAP, PKE, PKS, EFER, PKRU, PKRS           nothing
 * </pre>
 *
 * A page fault, and a change of PAE or SMEP, need drop global translations only if they were cached under the current PCID: so
 * they count as drops of these while CR4.PCIDE = 0, when there is no other.
 *
 * <p>A large page may be cached in fragments. An invalidation drops all TLB entries "corresponding to the translation specified by
 * the paging structures": all fragments of a large page, but where it was split into smaller pages before, only those of the page.
 * Where nothing is mapped any more, what was unmapped may have been a large page: all of it.
 */
final class InvalidationTimes {
    private static final int DROPS = 1024;

    private long all;
    /** The last drop of everything that is not global, of every PCID. */
    private long allLocal;
    private final Drops allCaches = new Drops();
    private final LongLongHashMap addressSpace = new LongLongHashMap();
    private final LongObjectHashMap<Drops> caches = new LongObjectHashMap<>();
    private LongLongHashMap page = new LongLongHashMap();
    private LongLongHashMap globalPage = new LongLongHashMap();

    /** Times at which paging-structure caches were dropped; of more than 1024 the latest. */
    private static final class Drops {
        long[] times = new long[16];
        int count;

        void add(long time) {
            if (count == DROPS) {
                count = DROPS / 2;
                System.arraycopy(times, DROPS / 2, times, 0, count);
            } else if (count == times.length) {
                times = Arrays.copyOf(times, 2 * count);
            }
            times[count++] = time;
        }

        boolean within(long after, long until) {
            for (int i = count - 1; i >= 0 && times[i] > after; i--) {
                if (times[i] <= until) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Everything, global translations included. */
    void dropAll(long time) {
        all = time;
        addressSpace.clear();
        caches.clear();
        allCaches.count = 0;
        page.clear();
        globalPage.clear();
    }

    /** Everything that is not global. */
    void dropAddressSpaces(long time) {
        allLocal = time;
        addressSpace.clear();
        page.clear();
        allCaches.add(time);
    }

    /** Everything of {@code pcid} that is not global. */
    void dropAddressSpace(int pcid, long time) {
        addressSpace.put(pcid, time);
        dropCaches(pcid, time);
    }

    /** The paging-structure caches of {@code pcid}. */
    void dropCaches(int pcid, long time) {
        Drops drops = caches.get(pcid);
        if (drops == null) {
            drops = new Drops();
            caches.put(pcid, drops);
        }
        drops.add(time);
    }

    /**
     * What is cached for {@code gva} under {@code pcid} and is not global.
     *
     * @param level of the leaf that the tables have for it; 0 if they have none
     */
    void dropPage(int pcid, long gva, TableFormat format, int level, long time) {
        for (int l = 1; l <= (level == 0 ? format.largest() : level); l++) {
            page.put(key(pcid, gva, format, l), time);
        }
    }

    /** Global translations of {@code gva}; {@code level} as above. */
    void dropGlobalPage(long gva, TableFormat format, int level, long time) {
        for (int l = 1; l <= (level == 0 ? format.largest() : level); l++) {
            globalPage.put(key(0, gva, format, l), time);
        }
    }

    /** No translation of {@code gva} by a leaf at {@code level} under {@code pcid} is older, unless it is global. */
    long since(int pcid, long gva, TableFormat format, int level) {
        long since = sinceAddressSpace(pcid);
        for (int l = 1; l <= level; l++) {
            since = Math.max(since, page.get(key(pcid, gva, format, l)));
        }
        return since;
    }

    /** No global translation of {@code gva} by a leaf at {@code level} is older. */
    long sinceGlobal(long gva, TableFormat format, int level) {
        long since = all;
        for (int l = 1; l <= level; l++) {
            since = Math.max(since, globalPage.get(key(0, gva, format, l)));
        }
        return since;
    }

    /** Nothing of {@code pcid} is older, unless it is global. */
    long sinceAddressSpace(int pcid) {
        return Math.max(Math.max(all, allLocal), addressSpace.get(pcid));
    }

    /** Nothing is older. */
    long sinceAll() {
        return all;
    }

    /**
     * True if the paging-structure caches of {@code pcid} were dropped after {@code after}, at {@code until} at the latest;
     * {@code after} is not before {@link #sinceAll}.
     */
    boolean cachesDropped(int pcid, long after, long until) {
        Drops drops = caches.get(pcid);
        return allCaches.within(after, until) || drops != null && drops.within(after, until);
    }

    /** Pages with a time of their own. */
    int pages() {
        return page.size() + globalPage.size();
    }

    /** Forgets the times of pages before {@code earliest}: no older value ends before it, so that they exclude nothing. */
    void forget(long earliest) {
        page = page.select((key, time) -> time >= earliest);
        globalPage = globalPage.select((key, time) -> time >= earliest);
    }

    private static long key(int pcid, long gva, TableFormat format, int level) {
        long number = (gva & (1L << 57) - 1) >>> format.shift(level);
        return (number << 12 | pcid) << 2 | level;
    }
}
