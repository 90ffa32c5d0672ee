package org.penumbra.api.cpu;

import java.util.Arrays;

/**
 * One set-associative TLB array with least-recently-used replacement: any number of sets and ways, not only powers of two.
 *
 * <pre>
 *  tag      virtual page number (up to 47 bits) &lt;&lt; 16 | context; -1 is empty
 *  word     63:12 hpa of the first byte of the page
 *           11:0  one bit per kind of {@link org.penumbra.api.paging.Access} that may proceed without a walk, derived from rights
 *  rights   raw rights of the translation, in the format of the hardware that fills the array
 * </pre>
 *
 * A <em>context</em> stands for the combination of VPID, PCID and EPT root that tags an entry; the hardware numbers them. The
 * arrays are public because lookups sit on the path of every access; only the hardware that owns the TLB writes them. One thread.
 *
 * <p>Entries are found by the low bits of their page number, through an index of short chains, so that a hit costs one comparison
 * whatever way it is in, and most misses none. Sets and ways only say which entry has to give way.
 */
public final class TlbArray {
    /** Bits of a tag that hold the context. */
    public static final int CONTEXT_BITS = 16;
    /** Bits of a word that hold the allowed kinds. */
    public static final long ALLOWED = 0xfff;

    private static final int MOST_CHAINS = 4096;
    private static final int INDEX_BITS = 15;

    public final long[] tag;
    public final long[] word;
    public final long[] rights;
    /**
     * When the entry was last used, by {@link #clock}, and below that its index, so that the minimum of a set names its victim without
     * a branch; an empty entry was used at 0.
     */
    private final long[] stamp;
    /** By the low bits of a page number: the entry with which the chain of such pages begins, -1 if there is none; then entry by entry. */
    private final short[] first;
    private final short[] next;
    private final int sets;
    private final int ways;
    private final int mask;
    private long clock;
    private int live;

    /** An empty array of {@code entries} entries in sets of {@code ways}; {@code entries} is a multiple of {@code ways}. */
    public TlbArray(int entries, int ways) {
        if (entries < 1 || ways < 1 || entries % ways != 0 || entries > 1 << INDEX_BITS) {
            throw new IllegalArgumentException("a TLB of " + entries + " entries and " + ways
                    + " ways: entries must be a positive multiple of ways, and at most " + (1 << INDEX_BITS));
        }
        this.ways = ways;
        this.sets = entries / ways;
        this.mask = Integer.bitCount(sets) == 1 ? sets - 1 : -1;
        tag = new long[entries];
        word = new long[entries];
        rights = new long[entries];
        stamp = new long[entries];
        first = new short[Math.min(MOST_CHAINS, Integer.highestOneBit(16 * entries))];
        next = new short[entries];
        empty();
    }

    private void empty() {
        Arrays.fill(tag, -1);
        Arrays.fill(first, (short) -1);
        for (int i = 0; i < stamp.length; i++) {
            stamp[i] = i;
        }
    }

    private void touch(int i) {
        stamp[i] = ++clock << INDEX_BITS | i;
    }

    /** Index of the entry for {@code page} in {@code context}, now the most recently used of its set; -1 if there is none. */
    public int find(long page, int context) {
        return find(page, context, context);
    }

    /** Like {@link #find(long, int)}, of an entry in {@code context} or in {@code other}. */
    public int find(long page, int context, int other) {
        long wanted = page << CONTEXT_BITS | context;
        long alternative = page << CONTEXT_BITS | other;
        for (int i = first[chain(page)]; i >= 0; i = next[i]) {
            long t = tag[i];
            if (t == wanted || t == alternative) {
                touch(i);
                return i;
            }
        }
        return -1;
    }

    /** Puts an entry in place of an equal tag, an empty one, or the least recently used of its set; returns its index. */
    public int insert(long page, int context, long hpa, long rawRights, int allowedMask) {
        int i = find(page, context);
        if (i < 0) {
            i = victim(page);
            if (tag[i] == -1) {
                live++;
            } else {
                unlink(i);
            }
            int c = chain(page);
            next[i] = first[c];
            first[c] = (short) i;
            tag[i] = page << CONTEXT_BITS | context;
            touch(i);
        }
        word[i] = hpa & ~ALLOWED | allowedMask;
        rights[i] = rawRights;
        return i;
    }

    private int victim(long page) {
        int i = start(page);
        int end = i + ways;
        long oldest;
        if ((ways & 3) == 0) {
            // By fours, since each minimum waits for those it is of.
            oldest = oldestOfFour(i);
            for (i += 4; i < end; i += 4) {
                oldest = older(oldest, oldestOfFour(i));
            }
        } else {
            oldest = stamp[i];
            for (i++; i < end; i++) {
                oldest = older(oldest, stamp[i]);
            }
        }
        return (int) oldest & (1 << INDEX_BITS) - 1;
    }

    private long oldestOfFour(int i) {
        return older(older(stamp[i], stamp[i + 1]), older(stamp[i + 2], stamp[i + 3]));
    }

    /** The minimum of two stamps, which are never negative: without a branch that nobody can predict. */
    private static long older(long stamp, long other) {
        long less = other - stamp;
        return stamp + (less & less >> 63);
    }

    private int chain(long page) {
        return (int) page & first.length - 1;
    }

    private void unlink(int index) {
        int c = chain(tag[index] >>> CONTEXT_BITS);
        int i = first[c];
        if (i == index) {
            first[c] = next[index];
            return;
        }
        while (next[i] != index) {
            i = next[i];
        }
        next[i] = next[index];
    }

    /** The hpa of the first byte of the page of entry {@code index}. */
    public long frame(int index) {
        return word[index] & ~ALLOWED;
    }

    /** True if entry {@code index} lets an access of kind {@code access} proceed without a walk. */
    public boolean allows(int index, int access) {
        return (word[index] >>> access & 1) != 0;
    }

    /** The kinds that entry {@code index} lets proceed without a walk, a bit each. */
    public int allowed(int index) {
        return (int) (word[index] & ALLOWED);
    }

    /** Sets the kinds that may proceed without a walk. */
    public void allow(int index, int allowedMask) {
        word[index] = word[index] & ~ALLOWED | allowedMask;
    }

    /** Empties entry {@code index}. */
    public void drop(int index) {
        if (tag[index] != -1) {
            unlink(index);
            tag[index] = -1;
            stamp[index] = index;
            live--;
        }
    }

    /** Empties every entry. */
    public void clear() {
        if (live > 0) {
            empty();
            live = 0;
        }
    }

    /** Number of entries, full or empty. */
    public int entries() {
        return tag.length;
    }

    /** True if no entry is full. */
    public boolean isEmpty() {
        return live == 0;
    }

    private int start(long page) {
        int set = mask >= 0 ? (int) page & mask : (int) Long.remainderUnsigned(page, sets);
        return set * ways;
    }
}
