package org.penumbra.hardware.tlb;

import java.util.Arrays;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.paging.PagingMode;

/**
 * Numbers the combinations of VPID, PCID and EPT root that tag cached translations (SDM vol. 3, "Caching Translation
 * Information": linear mappings by VPID and PCID, guest-physical mappings by EPTRTA, combined mappings by all three; APM vol. 2,
 * "TLB Control": everything by ASID).
 *
 * <p>Each number has a key, by which invalidations select contexts:
 *
 * <pre>
 *  50:48  paging mode, as numbered by PagingMode: entries of different modes never serve one another
 *  47:32  root of the second dimension: 0 = none, else a number given to EPTP or nCR3 bits 51:12
 *  31:16  VPID or ASID
 *  bit 14 paging-structure-cache entry of a design's tables for linear addresses, which no masks of invalidations tell apart
 *  bit 13 guest-physical mapping: PCID is 0, and so is a VPID, since such mappings belong to no VPID
 *  bit 12 global translation: PCID is 0
 *  11:0   PCID
 * </pre>
 */
final class Contexts {
    static final long MODE = 7L << 48;
    static final long ROOT = 0xffffL << 32;
    static final long VPID = 0xffffL << 16;
    static final long LINEAR_TABLES = 1L << 14;
    static final long PHYSICAL = 1L << 13;
    static final long GLOBAL = 1L << 12;
    static final long PCID = 0xfff;

    /** The number of no context: it tags nothing. */
    static final int NONE = (1 << TlbArray.CONTEXT_BITS) - 1;

    private static final long EPTRTA = 0x000f_ffff_ffff_f000L;

    private final LongIntHashMap numbers = new LongIntHashMap();
    private final LongIntHashMap roots = new LongIntHashMap();
    private long[] keys = new long[64];
    /** By number: where it stands in {@link #filled}, -1 if it does not. */
    private int[] places = new int[64];
    /** The numbers that tag something, one after the other. */
    private int[] filled = new int[64];
    private int filledCount;
    private int count;

    /** True if {@code more} further contexts, each with a new root, can be numbered. */
    boolean room(int more) {
        return count + more <= NONE && roots.size() + more < NONE;
    }

    /** Forgets every number. Nothing tagged may be left. */
    void reset() {
        numbers.clear();
        roots.clear();
        filledCount = 0;
        count = 0;
    }

    /** The number of the context with {@code key}, new if need be. */
    int number(long key) {
        int n = numbers.getIfAbsent(key, -1);
        if (n >= 0) {
            return n;
        }
        if (count == keys.length) {
            keys = Arrays.copyOf(keys, 2 * count);
            places = Arrays.copyOf(places, 2 * count);
            filled = Arrays.copyOf(filled, 2 * count);
        }
        keys[count] = key;
        places[count] = -1;
        numbers.put(key, count);
        return count++;
    }

    /** The root field of keys for {@code eptp}, or an nCR3, new if need be. */
    long root(long eptp) {
        long known = knownRoot(eptp);
        if (known == 0) {
            roots.put(eptp & EPTRTA, roots.size() + 1);
            known = knownRoot(eptp);
        }
        return known;
    }

    /** The root field of keys for {@code eptp}; 0 if nothing was ever cached for it. */
    long knownRoot(long eptp) {
        return (long) roots.getIfAbsent(eptp & EPTRTA, 0) << 32;
    }

    static long mode(PagingMode mode) {
        return (long) mode.ordinal() << 48;
    }

    /** The ordinal of the paging mode of {@code number}. */
    int modeOf(int number) {
        return (int) ((keys[number] & MODE) >>> 48);
    }

    static long vpid(int vpid) {
        return (long) vpid << 16;
    }

    boolean matches(int number, long mask, long value) {
        return (keys[number] & mask) == value;
    }

    /** Notes that {@code number} tags something. */
    void fill(int number) {
        if (places[number] < 0) {
            places[number] = filledCount;
            filled[filledCount++] = number;
        }
    }

    /** How many numbers tag something. */
    int filled() {
        return filledCount;
    }

    /** The {@code i}-th of them, from 0. {@link #empty} puts the last one in the place of what it takes out. */
    int filled(int i) {
        return filled[i];
    }

    /** Notes that {@code number}, which was {@link #fill filled}, tags nothing any more. */
    void empty(int number) {
        int place = places[number];
        int last = filled[--filledCount];
        filled[place] = last;
        places[last] = place;
        places[number] = -1;
    }
}
