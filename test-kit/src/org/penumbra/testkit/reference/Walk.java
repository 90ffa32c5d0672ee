package org.penumbra.testkit.reference;

import static org.penumbra.testkit.reference.EntryBits.*;

/** What a reference walk did. Mutable and reusable, so that a checked access allocates nothing. */
public final class Walk {
    /** {@link AccessRights#ALLOWED}, or the error code of the #PF. */
    public int outcome;
    /** Guest-physical address, if allowed or refused by the rights of a leaf; else −1. */
    public long gpa;
    /** Level of the leaf: 1 for 4 KiB, 2 for 2 MiB or 4 MiB, 3 for 1 GiB; 0 while paging is off and where none was reached. */
    public int level;
    /** Combined rights, as {@link AccessRights} defines them. */
    public long rights;
    /** The structures walked; null while paging is off. */
    public TableFormat format;
    /** Level of the first entry that a walk uses; 0 while paging is off. */
    public int top;
    /** Level of the last entry used; the entries from {@code top} down to this one were. {@code top + 1} if none was. */
    public int lowest;

    private final long[] gpas = new long[TableFormat.MOST_LEVELS + 1];
    private final long[] entries = new long[TableFormat.MOST_LEVELS + 1];

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

    /** True if a processor had to set no flag for this access: A is 1 in every entry used, and D in the leaf of a write. */
    public boolean flagsSet(boolean write) {
        for (int l = lowest; l <= top; l++) {
            if (entries[l] != entryAfter(l, write)) {
                return false;
            }
        }
        return true;
    }

    /**
     * What the entry used at {@code level} holds once the access was made: A is set in every entry used, D in the leaf of a write
     * (SDM vol. 3, "Accessed and Dirty Flags"). Of an allowed access.
     */
    public long entryAfter(int level, boolean write) {
        long accessed = format.hasAccessed(level) ? A : 0;
        return entries[level] | accessed | (write && level == this.level ? D : 0);
    }

    /**
     * True if the entry used at {@code level} may hold {@code now} after this walk: as {@link #entryAfter} says if it was allowed.
     * After a page fault it is as it was, or A alone was set in an entry that the processor used, that is in one present and
     * without reserved bits; "Accessed and Dirty Flags" leaves that open.
     */
    public boolean mayBecome(int level, long now, boolean write) {
        if (allowed()) {
            return now == entryAfter(level, write);
        }
        boolean used = level > lowest || this.level != 0;
        return now == entries[level] || used && now == entryAfter(level, false);
    }

    void begin(TableFormat structures) {
        format = structures;
        top = structures == null ? 0 : structures.levels();
        gpa = -1;
        level = 0;
        rights = AccessRights.FULL;
        lowest = top + 1;
    }

    void used(int level, long at, long entry) {
        lowest = level;
        gpas[level] = at;
        entries[level] = entry;
    }
}
