package org.penumbra.testkit.reference;

/** What a reference walk through EPT did. Mutable and reusable. */
public final class EptWalk {
    /** How a walk ends. */
    public enum Outcome {
        ALLOWED,
        /** An EPT violation: {@link #qualification}. */
        VIOLATION,
        /** An EPT misconfiguration; there is no exit qualification. */
        MISCONFIGURATION
    }

    public Outcome outcome;
    /** Host-physical address, if allowed. */
    public long hpa;
    /** Level of the leaf: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB; 0 where none was reached. */
    public int level;
    /** Exit qualification of a violation, bits 6:0. */
    public int qualification;
    /** Bits 5:3 of the leaf. */
    public int memoryType;
    /** Bit 6 of the leaf. */
    public boolean ignorePat;
    /** Levels of the first and of the last entry used; the last is one more than the first if none was. */
    public int top;
    public int lowest;

    private final long[] at = new long[TableFormat.MOST_LEVELS + 1];
    private final long[] entries = new long[TableFormat.MOST_LEVELS + 1];
    private boolean flags;

    /** True if the access is allowed. */
    public boolean allowed() {
        return outcome == Outcome.ALLOWED;
    }

    /** The entry used at {@code level}. */
    public long entry(int level) {
        return entries[level];
    }

    /** The hpa of the entry used at {@code level}. */
    public long entryHpa(int level) {
        return at[level];
    }

    /**
     * What the entry used at {@code level} holds once the access was made. With flags enabled, bit 8 is set in every entry used and
     * bit 9 in the leaf of a write (SDM vol. 3, "Accessed and Dirty Flags for EPT"). Of an allowed access.
     *
     * @param write the access was one, or counted as one
     */
    public long entryAfter(int level, boolean write) {
        return flags ? entries[level] | EptWalker.ACCESSED | (write && level == this.level ? EptWalker.DIRTY : 0) : entries[level];
    }

    void begin(int levels, boolean accessedAndDirty) {
        flags = accessedAndDirty;
        outcome = null;
        hpa = -1;
        level = 0;
        qualification = 0;
        memoryType = 0;
        ignorePat = false;
        top = levels;
        lowest = levels + 1;
    }

    void used(int usedLevel, long address, long entry) {
        lowest = usedLevel;
        at[usedLevel] = address;
        entries[usedLevel] = entry;
    }
}
