package org.penumbra.api.paging;

/**
 * Memory types with the encodings of PAT, MTRRs and EPT entries (SDM vol. 3, "Memory Types That Can Be Encoded With PAT"). UC−
 * exists in the PAT only.
 */
public enum MemoryType {
    UC(0),
    WC(1),
    WT(4),
    WP(5),
    WB(6),
    UC_MINUS(7);

    private static final MemoryType[] BY_ENCODING = {UC, WC, null, null, WT, WP, WB, UC_MINUS};

    private final int encoding;

    MemoryType(int encoding) {
        this.encoding = encoding;
    }

    public int encoding() {
        return encoding;
    }

    /**
     * The type with {@code encoding}.
     *
     * @throws IllegalArgumentException for one that is reserved: 2, 3, and above 7
     */
    public static MemoryType of(int encoding) {
        MemoryType type = encoding < 0 || encoding > 7 ? null : BY_ENCODING[encoding];
        if (type == null) {
            throw new IllegalArgumentException("memory type " + encoding + " is reserved");
        }
        return type;
    }
}
