package org.penumbra.kit;

/** A limit on the pages that an MMU's structures have: when some are to be given up, and how many. KVM: make_mmu_pages_available. Stateless. */
public final class PageLimit {
    /** The least limit: a fault must find places. KVM: KVM_MIN_ALLOC_MMU_PAGES. */
    public static final long LEAST = 64;
    /** How many pages are given up where host memory is exhausted. KVM: KVM_REFILL_PAGES. */
    public static final int REFILL = 25;
    /** Free places that a fault needs. KVM: KVM_MIN_FREE_MMU_PAGES. */
    private static final int MIN_FREE = 5;

    private PageLimit() {}

    /** How many of {@code used} pages are to be given up before a fault is served, that {@code limit} is kept; 0 for none. */
    public static int excess(long limit, long used) {
        long available = limit - used;
        return available < MIN_FREE ? (int) (REFILL - available) : 0;
    }

    /**
     * The limit that a user chose for {@code key}; 0 for {@code none}.
     *
     * @throws IllegalArgumentException if {@code value} is neither that nor a number from {@link #LEAST} up
     */
    public static long parse(String key, String value, String none) {
        if (value.equals(none)) {
            return 0;
        }
        long limit = value.matches("[0-9]{1,12}") ? Long.parseLong(value) : 0;
        if (limit < LEAST) {
            throw new IllegalArgumentException(key + ": '" + value + "' is neither '" + none + "' nor a number from " + LEAST + " up");
        }
        return limit;
    }
}
