package org.penumbra.testkit.lattice;

import static org.penumbra.testkit.reference.EntryBits.A;
import static org.penumbra.testkit.reference.EntryBits.D;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.Walk;

/** What the specification says of one access: its outcome, where it leads, and what may become of each entry. Reused. */
final class Expectation {
    private static final int PAGE_FAULT = 14;
    private static final int GENERAL_PROTECTION = 13;

    /** {@link Script#NONE} or the exception's vector. */
    int exception;
    int errorCode;
    /** Where an allowed access leads. */
    long gpa;
    /** Bits that the access must set in the entry of each level, and such as it may set. */
    final long[] must;
    final long[] may;
    private final ReferenceWalker walker;
    private final Walk walk = new Walk();
    private final int levels;
    private final int linearBits;

    Expectation(Layout layout, int maxPhyAddr) {
        walker = new ReferenceWalker(maxPhyAddr);
        levels = layout.levels;
        linearBits = layout.mode.isLong() ? layout.mode.linearBits() : 0;
        must = new long[levels + 1];
        may = new long[levels + 1];
    }

    /** Sets everything for {@code access} to {@code gva} by the entries in {@code memory}. */
    void of(PagingState state, long gva, int access, KnownMemory memory) {
        gpa = -1;
        errorCode = 0;
        for (int l = 1; l <= levels; l++) {
            must[l] = 0;
            may[l] = 0;
        }
        // SDM vol. 1, "Canonical Addressing".
        if (linearBits > 0 && gva << 64 - linearBits >> 64 - linearBits != gva) {
            exception = GENERAL_PROTECTION;
            return;
        }
        int outcome = walker.walk(state, gva, access, memory, walk);
        if (outcome == AccessRights.ALLOWED) {
            exception = Script.NONE;
            gpa = walk.gpa;
            for (int l = walk.lowest; l <= levels; l++) {
                must[l] = A | (l == walk.lowest && Access.isWrite(access) ? D : 0);
            }
            return;
        }
        exception = PAGE_FAULT;
        errorCode = outcome;
        // SDM vol. 3, "Accessed and Dirty Flags": set whenever an entry is used for translation; whether one is that a refused access
        // went through is the processor's choice. One that is not present or has a reserved bit is not used.
        boolean unusable = (outcome & PageFaultError.PRESENT) == 0 || (outcome & PageFaultError.RESERVED) != 0;
        for (int l = unusable ? walk.lowest + 1 : walk.lowest; l <= levels; l++) {
            may[l] = A;
        }
    }

    /** True if the entry of {@code level} may be {@code after} now, having been {@code before}. */
    boolean allows(int level, long before, long after) {
        return (after & ~may[level]) == ((before | must[level]) & ~may[level]) && (before & ~after) == 0;
    }

    /** In words. */
    String describe() {
        switch (exception) {
            case Script.NONE:
                return String.format("gpa 0x%x", gpa);
            case PAGE_FAULT:
                return String.format("#PF 0x%x (%s)", errorCode, PageFaultError.describe(errorCode));
            default:
                return "#GP(0)";
        }
    }
}
