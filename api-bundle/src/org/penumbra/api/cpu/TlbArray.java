package org.penumbra.api.cpu;

import java.util.Arrays;

/**
 * One set-associative TLB array with least-recently-used replacement: any number of sets and ways, not only powers of two.
 *
 * <pre>
 *  tag      virtual page number (up to 45 bits) &lt;&lt; 16 | context; -1 is empty
 *  frame    hpa of the first byte of the page
 *  rights   raw rights of the translation, in the format of the hardware that fills the array
 *  allowed  one bit per kind of {@link org.penumbra.api.paging.Access} that may proceed without a walk, derived from rights
 * </pre>
 *
 * A <em>context</em> stands for the combination of VPID, PCID and EPT root that tags an entry; the hardware numbers them. The
 * arrays are public because lookups sit on the path of every access; only the hardware that owns the TLB writes them. One thread.
 */
public final class TlbArray {
    /** Bits of a tag that hold the context. */
    public static final int CONTEXT_BITS = 16;

    public final long[] tag;
    public final long[] frame;
    public final long[] rights;
    public final int[] allowed;
    private final long[] stamp;
    private final int sets;
    private final int ways;
    private final int mask;
    private long clock;
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
        frame = new long[entries];
        rights = new long[entries];
        allowed = new int[entries];
        stamp = new long[entries];
        Arrays.fill(tag, -1);
    }

    /** Index of the entry for {@code page} in {@code context}, now the most recently used of its set; -1 if there is none. */
    public int find(long page, int context) {
        if (live == 0) {
            return -1;
        }
        long wanted = page << CONTEXT_BITS | context;
        int i = first(page);
        for (int end = i + ways; i < end; i++) {
            if (tag[i] == wanted) {
                stamp[i] = ++clock;
                return i;
            }
        }
        return -1;
    }

    /** Puts an entry in place of an equal tag, an empty one, or the least recently used of its set; returns its index. */
    public int insert(long page, int context, long hpa, long rawRights, int allowedMask) {
        long wanted = page << CONTEXT_BITS | context;
        int start = first(page);
        int victim = start;
        for (int i = start; i < start + ways; i++) {
            if (tag[i] == wanted) {
                victim = i;
                break;
            }
            if (tag[victim] != -1 && (tag[i] == -1 || stamp[i] < stamp[victim])) {
                victim = i;
            }
        }
        if (tag[victim] == -1) {
            live++;
        }
        tag[victim] = wanted;
        frame[victim] = hpa;
        rights[victim] = rawRights;
        allowed[victim] = allowedMask;
        stamp[victim] = ++clock;
        return victim;
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
        Arrays.fill(tag, -1);
        live = 0;
    }

    /** Number of entries, full or empty. */
    public int entries() {
        return tag.length;
    }

    private int first(long page) {
        int set = mask >= 0 ? (int) page & mask : (int) Long.remainderUnsigned(page, sets);
        return set * ways;
    }
}
