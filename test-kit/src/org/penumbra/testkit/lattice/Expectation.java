package org.penumbra.testkit.lattice;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.Walk;
import org.penumbra.testkit.script.Script;

/** What the specification says of one access: its outcome, where it leads, and what may become of each entry. Reused. */
final class Expectation {
    private static final int PAGE_FAULT = 14;
    private static final int GENERAL_PROTECTION = 13;

    /** {@link Script#NONE} or the exception's vector. */
    int exception;
    int errorCode;
    /** Where an allowed access leads. */
    long gpa;
    private final Layout layout;
    private final ReferenceWalker walker;
    private final Walk walk = new Walk();
    private int access;
    private final int linearBits;

    Expectation(Layout layout, int maxPhyAddr) {
        this.layout = layout;
        walker = new ReferenceWalker(maxPhyAddr);
        linearBits = layout.mode.isLong() ? layout.mode.linearBits() : 0;
    }

    /** Sets everything for {@code kind} of access to {@code gva} by the entries in {@code memory}. */
    void of(PagingState state, long gva, int kind, KnownMemory memory) {
        access = kind;
        errorCode = 0;
        // SDM vol. 1, "Canonical Addressing".
        if (linearBits > 0 && gva << 64 - linearBits >> 64 - linearBits != gva) {
            exception = GENERAL_PROTECTION;
            return;
        }
        int outcome = walker.walk(state, gva, kind, memory, walk);
        gpa = walk.gpa;
        if (outcome == AccessRights.ALLOWED) {
            exception = Script.NONE;
        } else {
            exception = PAGE_FAULT;
            errorCode = outcome;
        }
    }

    /** True if the entry of {@code level} may be {@code after} now, having been {@code before} the access. */
    boolean allows(int level, long before, long after) {
        return uses(level) ? walk.mayBecome(level, after, Access.isWrite(access)) : after == before;
    }

    /** Another table than that of the chain is met where a large PDE is taken for one, with CR4.PSE = 0. */
    private boolean uses(int level) {
        return exception != GENERAL_PROTECTION && level >= walk.lowest && walk.entryGpa(level) == layout.entry(level);
    }

    /** Flags that an allowed access sets in the entry of {@code level}. */
    long sets(int level) {
        return exception == Script.NONE && uses(level) ? walk.entryAfter(level, Access.isWrite(access)) & ~walk.entry(level) : 0;
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
