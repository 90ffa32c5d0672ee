package org.penumbra.api.paging;

/**
 * The four PDPTE registers of PAE paging (SDM vol. 3, "PDPTE Registers"): architectural state, loaded from memory by certain
 * operations and used by walks from then on, whatever becomes of the memory. Immutable.
 *
 * <pre>
 *  bit  0      P    present
 *  2:1, 8:5         reserved
 *  bit  3, 4        PWT, PCD
 *  11:9             ignored
 *  M−1:12           gpa of the page directory
 *  63:M             reserved
 * </pre>
 */
public record Pdptes(long pdpte0, long pdpte1, long pdpte2, long pdpte3) {
    /**
     * There are no registers: each walk reads the PDPTE from memory, as for a guest under nested paging (APM vol. 2, "Nested Paging",
     * on legacy PAE mode). No register can hold these values, which are not present and have all other bits set.
     */
    public static final Pdptes IN_MEMORY = new Pdptes(-2, -2, -2, -2);
    /** All of them not present. */
    public static final Pdptes NONE = new Pdptes(0, 0, 0, 0);
    /** CR3 bits that hold the address of the table from which they are loaded: it is aligned to 32 bytes. */
    public static final long TABLE = 0xffff_ffe0L;

    private static final long RESERVED = 0x1e6;

    /** True if these are no registers, but {@link #IN_MEMORY}. */
    public boolean inMemory() {
        return equals(IN_MEMORY);
    }

    /** Register {@code n}, 0 to 3. */
    public long get(int n) {
        return n == 0 ? pdpte0 : n == 1 ? pdpte1 : n == 2 ? pdpte2 : pdpte3;
    }

    /** The register that translates {@code gva}. */
    public long of(long gva) {
        return get((int) (gva >>> 30) & 3);
    }

    /** May {@code pdpte} be loaded with MAXPHYADDR {@code m}? If not, the operation that loads it is #GP(0). */
    public static boolean allowed(long pdpte, int m) {
        return (pdpte & 1) == 0 || (pdpte & (RESERVED | -1L << m)) == 0;
    }

    /** True if all four may be loaded. */
    public boolean allowed(int m) {
        return allowed(pdpte0, m) && allowed(pdpte1, m) && allowed(pdpte2, m) && allowed(pdpte3, m);
    }
}
