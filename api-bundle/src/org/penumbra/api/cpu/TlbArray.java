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
 * <p>Where a page was found last is remembered by the low bits of its number, so that a hit costs one comparison whatever way it is
 * in; the tag decides, and a wrong guess costs a search of the set.
 */
public final class TlbArray {
    /** Bits of a tag that hold the context. */
    public static final int CONTEXT_BITS = 16;
    /** Bits of a word that hold the allowed kinds. */
    public static final long ALLOWED = 0xfff;

    private static final int MOST_GUESSES = 4096;
    private static final int INDEX_BITS = 15;

    public final long[] tag;
    public final long[] word;
    public final long[] rights;
    /**
     * When the entry was last used, by {@link #clock}, and below that its index, so that the minimum of a set names its victim without
     * a branch; an empty entry was used at 0.
     */
    private final long[] stamp;
    private final short[] guess;
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
        guess = new short[Math.min(MOST_GUESSES, Integer.highestOneBit(4 * entries))];
        Arrays.fill(tag, -1);
        for (int i = 0; i < entries; i++) {
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
        int i = guess[(int) page & guess.length - 1];
        long t = tag[i];
        if (t == wanted || t == (page << CONTEXT_BITS | other)) {
            touch(i);
            return i;
        }
        return live == 0 ? -1 : search(page, wanted, page << CONTEXT_BITS | other);
    }

    private int search(long page, long wanted, long alternative) {
        int i = start(page);
        for (int end = i + ways; i < end; i++) {
            if (tag[i] == wanted || tag[i] == alternative) {
                touch(i);
                guess[(int) page & guess.length - 1] = (short) i;
                return i;
            }
        }
        return -1;
    }

    /** Puts an entry in place of an equal tag, an empty one, or the least recently used of its set; returns its index. */
    public int insert(long page, int context, long hpa, long rawRights, int allowedMask) {
        long wanted = page << CONTEXT_BITS | context;
        int start = start(page);
        long oldest = Long.MAX_VALUE;
        for (int i = start; i < start + ways; i++) {
            if (tag[i] == wanted) {
                return put(i, page, wanted, hpa, rawRights, allowedMask);
            }
            oldest = Math.min(oldest, stamp[i]);
        }
        if (oldest >>> INDEX_BITS == 0) {
            live++;
        }
        return put((int) oldest & (1 << INDEX_BITS) - 1, page, wanted, hpa, rawRights, allowedMask);
    }

    private int put(int i, long page, long wanted, long hpa, long rawRights, int allowedMask) {
        tag[i] = wanted;
        word[i] = hpa & ~ALLOWED | allowedMask;
        rights[i] = rawRights;
        touch(i);
        guess[(int) page & guess.length - 1] = (short) i;
        return i;
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
            tag[index] = -1;
            stamp[index] = index;
            live--;
        }
    }

    /** Empties every entry. */
    public void clear() {
        if (live > 0) {
            Arrays.fill(tag, -1);
            for (int i = 0; i < stamp.length; i++) {
                stamp[i] = i;
            }
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
