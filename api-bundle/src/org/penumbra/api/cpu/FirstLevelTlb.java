package org.penumbra.api.cpu;

/**
 * A first-level TLB, split by page size, in the layout that engines look up inline on every access.
 *
 * <p>A hit needs an entry whose word allows the access kind; anything else is a miss, which the processor resolves
 * (second-level TLB, walk, fault). The processor fills it, flushes it, and sets {@link #context} and {@link #globalContext} when
 * the address space changes. One thread.
 */
public final class FirstLevelTlb {
    /** Answer of {@link #lookup} on a miss. */
    public static final long MISS = -1;

    /** Translations of 4 KiB pages, tagged by gva &gt;&gt;&gt; 12. */
    public final TlbArray small;
    /** Translations of 2 MiB pages, tagged by gva &gt;&gt;&gt; 21. */
    public final TlbArray large;
    /** Translations of 1 GiB pages, tagged by gva &gt;&gt;&gt; 30; null if such pages are held as pieces of 2 MiB. */
    public final TlbArray huge;
    /** Context of the current address space. */
    public int context;
    /** Context of global translations of the current virtual processor, or -1 while CR4.PGE = 0. */
    public int globalContext = -1;

    /** @param huge may be null */
    public FirstLevelTlb(TlbArray small, TlbArray large, TlbArray huge) {
        this.small = small;
        this.large = large;
        this.huge = huge;
    }

    /** The hpa of {@code gva} for an access of kind {@code access}, or {@link #MISS}. */
    public long lookup(long gva, int access) {
        int i = isTagged(gva) ? small.find(page(gva, 12), context, other()) : -1;
        if (i >= 0) {
            return small.allows(i, access) ? small.frame(i) | gva & 0xfff : MISS;
        }
        return lookupLarge(gva, access);
    }

    /** As {@link #lookup}, where {@link #small} has nothing for {@code gva}. */
    long lookupLarge(long gva, int access) {
        return large.isEmpty() && !hasHuge() ? MISS : inLarge(gva, access);
    }

    private boolean hasHuge() {
        return huge != null && !huge.isEmpty();
    }

    private long inLarge(long gva, int access) {
        int i = isTagged(gva) ? large.find(page(gva, 21), context, other()) : -1;
        if (i >= 0) {
            return large.allows(i, access) ? large.frame(i) | gva & 0x1f_ffff : MISS;
        }
        return hasHuge() ? inHuge(gva, access) : MISS;
    }

    private long inHuge(long gva, int access) {
        int i = isTagged(gva) ? huge.find(page(gva, 30), context, other()) : -1;
        return i >= 0 && huge.allows(i, access) ? huge.frame(i) | gva & 0x3fff_ffff : MISS;
    }

    private int other() {
        return globalContext < 0 ? context : globalContext;
    }

    /** False if {@code gva} is not canonical in any mode; the tag does not hold the bits that say so. */
    static boolean isTagged(long gva) {
        return gva << 7 >> 7 == gva;
    }

    /** The page number that tags {@code gva}: its bits 56:{@code shift}, which fit a tag beside the context. */
    public static long page(long gva, int shift) {
        return (gva & 0x01ff_ffff_ffff_ffffL) >>> shift;
    }
}
