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
 * A <em>context</em> stands for the combination of VPID, PCID and EPT root that tags an entry; the hardware numbers them. Only the
 * hardware that owns the TLB changes it. One thread.
 *
 * <p>Entries are found by the low bits of their page number, through an index of short chains, so that a hit costs one comparison
 * whatever way it is in, and most misses none. Sets and ways only say which entry has to give way. What belongs to an entry stands
 * together, in one array for all of them: an access that needs three of its words tests one length and reads one line of the host's
 * cache.
 */
public final class TlbArray {
    /** Bits of a tag that hold the context. */
    public static final int CONTEXT_BITS = 16;
    /** Bits of a word that hold the allowed kinds. */
    public static final long ALLOWED = 0xfff;
    /** Answers of {@link #hit}. */
    public static final int NONE = -1;
    public static final int ELSEWHERE = -2;

    private static final int MOST_CHAINS = 4096;
    private static final int INDEX_BITS = 15;
    /** Words of an entry, as a power of two, and which is which. */
    private static final int STRIDE = 2;
    private static final int TAG = 0;
    private static final int WORD = 1;
    private static final int RIGHTS = 2;
    /**
     * When the entry was last used, by {@link #clock}, and below that its index, so that the minimum of a set names its victim without
     * a branch; an empty entry was used at 0.
     */
    private static final int STAMP = 3;

    private static final long TICK = 1L << INDEX_BITS;

    /** The entries, and after them one that is always empty, with which every chain ends. */
    private final long[] all;
    /** By the low bits of a page number: the entry with which the chain of such pages begins; then by entry, from {@link #chains} on, the next one. */
    private final char[] links;
    private final int chains;
    private final int entries;
    private final int sets;
    private final int ways;
    private final int mask;
    /** Counts in {@link #TICK}s. */
    private long clock;
    private int live;

    /** An empty array of {@code entries} entries in sets of {@code ways}; {@code entries} is a multiple of {@code ways}. */
    public TlbArray(int entries, int ways) {
        if (entries < 1 || ways < 1 || entries % ways != 0 || entries > 1 << INDEX_BITS) {
            throw new IllegalArgumentException("a TLB of " + entries + " entries and " + ways
                    + " ways: entries must be a positive multiple of ways, and at most " + (1 << INDEX_BITS));
        }
        this.entries = entries;
        this.ways = ways;
        this.sets = entries / ways;
        this.mask = Integer.bitCount(sets) == 1 ? sets - 1 : -1;
        all = new long[entries + 1 << STRIDE];
        chains = Math.min(MOST_CHAINS, Integer.highestOneBit(16 * entries));
        links = new char[chains + entries];
        empty();
    }

    private void empty() {
        Arrays.fill(links, (char) entries);
        for (int i = 0; i <= entries; i++) {
            empty(i);
        }
    }

    private void empty(int i) {
        all[(i << STRIDE) + TAG] = -1;
        all[(i << STRIDE) + STAMP] = i;
    }

    /** Index of the entry for {@code page} in {@code context}, now the most recently used of its set; -1 if there is none. */
    public int find(long page, int context) {
        return find(page, context, context);
    }

    /** Like {@link #find(long, int)}, of an entry in {@code context} or in {@code other}. */
    public int find(long page, int context, int other) {
        long wanted = page << CONTEXT_BITS | context;
        int i = links[chain(page)];
        if (all[(i << STRIDE) + TAG] != wanted) {
            i = further(i, wanted, page << CONTEXT_BITS | other);
            if (i == entries) {
                return -1;
            }
        }
        use(i);
        return i;
    }

    /**
     * What most look-ups want: the index of the entry for {@code page} in {@code context}, or in {@code global} unless that is -1, now the most
     * recently used of its set, if it begins its chain and lets an access of kind {@code access} proceed. Else {@link #NONE}, if there is no entry, or
     * {@link #ELSEWHERE}, if {@link #find} has to be asked, and nothing is changed. It is apart from that one, and of few branches, so that a compiler
     * need not read anew what some other branch might have changed.
     */
    public int hit(long page, int context, int global, int access) {
        int i = links[chain(page)];
        int at = i << STRIDE;
        long tag = all[at + TAG];
        if (tag != (page << CONTEXT_BITS | context)) {
            if (i == entries) {
                return NONE;
            }
            if (tag != (page << CONTEXT_BITS | global)) {
                return ELSEWHERE;
            }
        }
        if ((all[at + WORD] >>> access & 1) == 0) {
            return ELSEWHERE;
        }
        use(i);
        return i;
    }

    /** From entry {@code i} on along its chain: the one with the tag {@code wanted} or {@code alternative}; {@link #entries} if there is none. */
    private int further(int i, long wanted, long alternative) {
        int at = i;
        while (at != entries && tag(at) != wanted && tag(at) != alternative) {
            at = links[chains + at];
        }
        return at;
    }

    private void use(int i) {
        long now = clock + TICK;
        clock = now;
        all[(i << STRIDE) + STAMP] = now | i;
    }

    /** Puts an entry in place of an equal tag, an empty one, or the least recently used of its set; returns its index. */
    public int insert(long page, int context, long hpa, long rawRights, int allowedMask) {
        int i = place(page, page << CONTEXT_BITS | context);
        int at = i << STRIDE;
        all[at + WORD] = hpa & ~ALLOWED | allowedMask;
        all[at + RIGHTS] = rawRights;
        return i;
    }

    /** As {@link #insert}, of an entry equal to entry {@code index} of {@code from}, which is for {@code page}. */
    public void insert(long page, TlbArray from, int index) {
        int source = index << STRIDE;
        long word = from.all[source + WORD];
        long rawRights = from.all[source + RIGHTS];
        int at = place(page, from.all[source + TAG]) << STRIDE;
        all[at + WORD] = word;
        all[at + RIGHTS] = rawRights;
    }

    /** The index of the entry with {@code tag}, which is new unless there was one, and now the most recently used of its set. */
    private int place(long page, long tag) {
        int chain = chain(page);
        int i = links[chain];
        if (i != entries) {
            i = further(i, tag, tag);
        }
        if (i == entries) {
            i = victim(page);
            vacate(i);
            links[chains + i] = links[chain];
            links[chain] = (char) i;
            all[(i << STRIDE) + TAG] = tag;
        }
        use(i);
        return i;
    }

    private void vacate(int i) {
        long old = tag(i);
        if (old == -1) {
            live++;
        } else {
            unlink(i, old);
        }
    }

    private int victim(long page) {
        int i = start(page);
        if (ways == 4) {
            return index(oldestOfFour(i << STRIDE));
        }
        int end = i + ways;
        long oldest;
        if ((ways & 3) == 0) {
            // By fours, since each minimum waits for those it is of.
            oldest = oldestOfFour(i << STRIDE);
            for (i += 4; i < end; i += 4) {
                oldest = older(oldest, oldestOfFour(i << STRIDE));
            }
        } else {
            oldest = all[(i << STRIDE) + STAMP];
            for (i++; i < end; i++) {
                oldest = older(oldest, all[(i << STRIDE) + STAMP]);
            }
        }
        return index(oldest);
    }

    private static int index(long stamp) {
        return (int) stamp & (1 << INDEX_BITS) - 1;
    }

    private long oldestOfFour(int at) {
        long second = all[at + (1 << STRIDE) + STAMP];
        long fourth = all[at + (3 << STRIDE) + STAMP];
        return older(older(all[at + STAMP], second), older(all[at + (2 << STRIDE) + STAMP], fourth));
    }

    /** The minimum of two stamps, which are never negative: without a branch that nobody can predict. */
    private static long older(long stamp, long other) {
        long less = other - stamp;
        return stamp + (less & less >> 63);
    }

    private int chain(long page) {
        return (int) page & chains - 1;
    }

    private void unlink(int index, long tag) {
        int link = chain(tag >>> CONTEXT_BITS);
        while (links[link] != index) {
            link = chains + links[link];
        }
        links[link] = links[chains + index];
    }

    /** The tag of entry {@code index}. */
    public long tag(int index) {
        return all[(index << STRIDE) + TAG];
    }

    /** The word of entry {@code index}. */
    public long word(int index) {
        return all[(index << STRIDE) + WORD];
    }

    /** The raw rights of entry {@code index}. */
    public long rights(int index) {
        return all[(index << STRIDE) + RIGHTS];
    }

    /** The hpa of the first byte of the page of entry {@code index}. */
    public long frame(int index) {
        return word(index) & ~ALLOWED;
    }

    /** True if entry {@code index} lets an access of kind {@code access} proceed without a walk. */
    public boolean allows(int index, int access) {
        return (word(index) >>> access & 1) != 0;
    }

    /** The kinds that entry {@code index} lets proceed without a walk, a bit each. */
    public int allowed(int index) {
        return (int) (word(index) & ALLOWED);
    }

    /** Sets the kinds that may proceed without a walk. */
    public void allow(int index, int allowedMask) {
        all[(index << STRIDE) + WORD] = word(index) & ~ALLOWED | allowedMask;
    }

    /** Empties entry {@code index}. */
    public void drop(int index) {
        long old = tag(index);
        if (old != -1) {
            unlink(index, old);
            empty(index);
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
        return entries;
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
