package org.penumbra.testkit.tlb;

import java.util.Arrays;
import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;

/**
 * When one vCPU last had to drop what: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches" and "Details of
 * TLB Use" (a large page may be cached in fragments, and each invalidation drops all of them).
 *
 * <pre>
 *                            TLB, not global           TLB, global               paging-structure caches
 *  MOV CR3 without keep      the PCID                  –                         the PCID
 *  INVLPG                    the page, current PCID    the page                  current PCID
 *  page fault                the page, current PCID    –                         for the address, current PCID
 *  PG 1→0, PGE, PCIDE 1→0    all                       all                       all
 *  PAE, SMEP 0→1             current PCID              –                         current PCID
 * </pre>
 *
 * A page fault, and a change of PAE or SMEP, need drop global translations only if they were cached under the current PCID: so
 * they count as drops of these while CR4.PCIDE = 0, when there is no other.
 */
final class InvalidationTimes {
    private static final int DROPS = 1024;
    /** log2 of the page sizes: a page is found by each of them. */
    private static final int[] SHIFTS = {12, 21, 30};

    private long all;
    private final LongLongHashMap addressSpace = new LongLongHashMap();
    private final LongObjectHashMap<Drops> caches = new LongObjectHashMap<>();
    private LongLongHashMap page = new LongLongHashMap();
    private LongLongHashMap globalPage = new LongLongHashMap();

    /** The times at which the paging-structure caches of a PCID were dropped; of more than 1024 the latest. */
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
    }

    /** Everything, global translations included. */
    void dropAll(long time) {
        all = time;
        addressSpace.clear();
        caches.clear();
        page.clear();
        globalPage.clear();
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

    /** What is cached for {@code gva} under {@code pcid} and is not global. */
    void dropPage(int pcid, long gva, long time) {
        for (int shift : SHIFTS) {
            page.put(key(pcid, gva, shift), time);
        }
    }

    /** Global translations of {@code gva}. */
    void dropGlobalPage(long gva, long time) {
        for (int shift : SHIFTS) {
            globalPage.put(key(0, gva, shift), time);
        }
    }

    /** No translation of {@code gva} by a page of 2^{@code shift} bytes under {@code pcid} is older, unless it is global. */
    long since(int pcid, long gva, int shift) {
        return Math.max(sinceAddressSpace(pcid), page.get(key(pcid, gva, shift)));
    }

    /** No global translation of {@code gva} by a page of 2^{@code shift} bytes is older. */
    long sinceGlobal(long gva, int shift) {
        return Math.max(all, globalPage.get(key(0, gva, shift)));
    }

    /** Nothing is older, unless it is global. */
    long sinceAddressSpace(int pcid) {
        return Math.max(all, addressSpace.get(pcid));
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
        for (int i = drops == null ? -1 : drops.count - 1; i >= 0 && drops.times[i] > after; i--) {
            if (drops.times[i] <= until) {
                return true;
            }
        }
        return false;
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

    private static long key(int pcid, long gva, int shift) {
        long number = (gva & 0x0000_ffff_ffff_ffffL) >>> shift;
        return (number << 12 | pcid) << 2 | (shift - 12) / 9;
    }
}
