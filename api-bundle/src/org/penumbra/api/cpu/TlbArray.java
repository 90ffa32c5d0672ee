package org.penumbra.api.cpu;

import java.util.Arrays;

/**
 * One set-associative TLB array with least-recently-used replacement: any number of sets and ways, not only powers of two. The
 * entries of a set stand in the order of their last use, the latest first: a hit moves its entry to the front, which costs less
 * than time stamps because most hits are at the front already.
 *
 * <pre>
 *  tag      virtual page number (up to 47 bits) &lt;&lt; 16 | context; -1 is empty
 *  word     63:12 hpa of the first byte of the page
 *           11:0  one bit per kind of {@link org.penumbra.api.paging.Access} that may proceed without a walk, derived from rights
 *  rights   raw rights of the translation, in the format of the hardware that fills the array
 * </pre>
 *
 * A <em>context</em> stands for the combination of VPID, PCID and EPT root that tags an entry; the hardware numbers them. The
 * arrays are public because lookups sit on the path of every access; only the hardware that owns the TLB writes them. An index is
 * good until the next {@link #find} or {@link #insert}. One thread.
 */
public final class TlbArray {
    /** Bits of a tag that hold the context. */
    public static final int CONTEXT_BITS = 16;
    /** Bits of a word that hold the allowed kinds. */
    public static final long ALLOWED = 0xfff;

    public final long[] tag;
    public final long[] word;
    public final long[] rights;
    private final int sets;
    private final int ways;
    private final int mask;
    private int live;

    /** An empty array of {@code entries} entries in sets of {@code ways}; {@code entries} is a multiple of {@code ways}. */
    public TlbArray(int entries, int ways) {
        if (entries < 1 || ways < 1 || entries % ways != 0) {
            throw new IllegalArgumentException("a TLB of " + entries + " entries and " + ways + " ways: entries must be a positive multiple of ways");
        }
        this.ways = ways;
        this.sets = entries / ways;
        this.mask = Integer.bitCount(sets) == 1 ? sets - 1 : -1;
        tag = new long[entries];
        word = new long[entries];
        rights = new long[entries];
        Arrays.fill(tag, -1);
    }

    /** Index of the entry for {@code page} in {@code context}, now the most recently used of its set; -1 if there is none. */
    public int find(long page, int context) {
        return find(page, context, context);
    }

    /** Like {@link #find(long, int)}, of an entry in {@code context} or in {@code other}. */
    public int find(long page, int context, int other) {
        int start = start(page);
        long wanted = page << CONTEXT_BITS | context;
        long alternative = page << CONTEXT_BITS | other;
        long front = tag[start];
        return front == wanted || front == alternative ? start : ways == 1 || live == 0 ? -1 : behind(start, wanted, alternative);
    }

    private int behind(int start, long wanted, long alternative) {
        for (int i = start + 1, end = start + ways; i < end; i++) {
            long t = tag[i];
            if (t == wanted || t == alternative) {
                long w = word[i];
                long r = rights[i];
                shift(start, i);
                tag[start] = t;
                word[start] = w;
                rights[start] = r;
                return start;
            }
        }
        return -1;
    }

    /** Puts an entry in place of an equal tag, an empty one, or the least recently used of its set; returns its index. */
    public int insert(long page, int context, long hpa, long rawRights, int allowedMask) {
        long wanted = page << CONTEXT_BITS | context;
        int start = start(page);
        int last = start + ways - 1;
        int victim = last;
        for (int i = start; i <= last; i++) {
            if (tag[i] == wanted) {
                victim = i;
                break;
            }
            if (tag[i] == -1) {
                victim = i;
            }
        }
        if (tag[victim] == -1) {
            live++;
        }
        shift(start, victim);
        tag[start] = wanted;
        word[start] = hpa & ~ALLOWED | allowedMask;
        rights[start] = rawRights;
        return start;
    }

    /** Moves the entries before {@code end} one place back. */
    private void shift(int start, int end) {
        for (int i = end; i > start; i--) {
            tag[i] = tag[i - 1];
            word[i] = word[i - 1];
            rights[i] = rights[i - 1];
        }
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
            live--;
        }
    }

    /** Empties every entry. */
    public void clear() {
        if (live > 0) {
            Arrays.fill(tag, -1);
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
