package org.penumbra.testkit.reference;

/** What a reference walk did. Mutable and reusable, so that a checked access allocates nothing. */
public final class Walk {
    /** {@link AccessRights#ALLOWED}, or the error code of the #PF. */
    public int outcome;
    /** Guest-physical address, if allowed. */
    public long gpa;
    /** Level of the leaf: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB; 0 while paging is off. */
    public int level;
    /** Combined rights, as {@link AccessRights} defines them. */
    public long rights;
    /** Level of the last entry used; entries from level 4 down to this one were. 5 if none was. */
    public int lowest;

    private final long[] gpas = new long[EntryBits.LEVELS + 1];
    private final long[] entries = new long[EntryBits.LEVELS + 1];

    /** True if the access is allowed. */
    public boolean allowed() {
        return outcome == AccessRights.ALLOWED;
    }

    /** The entry used at {@code level}. */
    public long entry(int level) {
        return entries[level];
    }

    /** Where the entry used at {@code level} lies. */
    public long entryGpa(int level) {
        return gpas[level];
    }

    /** True if a processor had to set no bit for this access: A is 1 in every entry used, and D in the leaf of a write. */
    public boolean flagsSet(boolean write) {
        long all = -1;
        for (int l = lowest; l <= EntryBits.LEVELS; l++) {
            all &= entries[l];
        }
        boolean paged = lowest <= EntryBits.LEVELS;
        return !paged || (all & EntryBits.A) != 0 && (!write || (entries[lowest] & EntryBits.D) != 0);
    }

    void begin() {
        gpa = -1;
        level = 0;
        rights = AccessRights.FULL;
        lowest = EntryBits.LEVELS + 1;
    }

    void used(int level, long at, long entry) {
        lowest = level;
        gpas[level] = at;
        entries[level] = entry;
    }
}
