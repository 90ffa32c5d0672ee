package org.penumbra.testkit.reference;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/**
 * The page walk of SDM vol. 3, "4-Level Paging and 5-Level Paging", without any cache and without effects: accessed and dirty
 * bits are reported in the entries, not set. Linear addresses are taken to be canonical. Immutable; any thread.
 */
public final class ReferenceWalker {
    private final long beyondMaxPhyAddr;

    /** A walker that takes entry bits 51:{@code maxPhyAddr} as reserved; with 52 there are none. */
    public ReferenceWalker(int maxPhyAddr) {
        if (maxPhyAddr < 32 || maxPhyAddr > 52) {
            throw new IllegalArgumentException("MAXPHYADDR " + maxPhyAddr + ": 32 to 52 is needed");
        }
        beyondMaxPhyAddr = FRAME & -1L << maxPhyAddr;
    }

    /**
     * Translates {@code gva} for an access of kind {@code access} by the tables as {@code memory} shows them.
     *
     * @param memory the 8 bytes at a gpa
     * @param walk filled; {@code walk.outcome} is returned
     * @return {@link AccessRights#ALLOWED} or the error code of the #PF
     * @throws IllegalArgumentException if paging is on and is not 4-level paging
     */
    public int walk(PagingState state, long gva, int access, LongUnaryOperator memory, Walk walk) {
        requireSupported(state);
        walk.begin();
        if (!state.has0(CR0_PG)) {
            walk.gpa = gva;
            return walk.outcome = AccessRights.ALLOWED;
        }
        long table = state.root();
        for (int level = LEVELS; ; level--) {
            long at = table + 8L * index(gva, level);
            long entry = memory.applyAsLong(at);
            walk.used(level, at, entry);
            if ((entry & P) == 0) {
                return walk.outcome = AccessRights.errorCode(state, access, 0);
            }
            if ((entry & reserved(state, entry, level)) != 0) {
                return walk.outcome = AccessRights.errorCode(state, access, PageFaultError.PRESENT | PageFaultError.RESERVED);
            }
            walk.rights = AccessRights.combine(walk.rights, entry);
            if (isLeaf(entry, level)) {
                walk.level = level;
                walk.gpa = gpa(entry, level, gva);
                return walk.outcome = AccessRights.check(state, access, walk.rights, key(entry));
            }
            table = entry & FRAME;
        }
    }

    /** The bits that must be 0 in {@code entry}, present at {@code level}. */
    public long reserved(PagingState state, long entry, int level) {
        long bits = beyondMaxPhyAddr | (state.hasEfer(EFER_NXE) ? 0 : XD);
        if (level == LEVELS) {
            return bits | PS;
        }
        boolean large = level > 1 && isLeaf(entry, level);
        return large ? bits | (1L << shift(level)) - 1 & -1L << 13 : bits;
    }

    /** Throws IllegalArgumentException unless paging is off or 4-level paging is on in {@code state}. */
    public static void requireSupported(PagingState state) {
        boolean longMode = state.hasEfer(EFER_LMA | EFER_LME) && state.has4(CR4_PAE);
        if (state.has0(CR0_PG) && (!longMode || state.has4(CR4_LA57))) {
            throw new IllegalArgumentException(String.format(
                    "the specification covers paging off and 4-level paging, not CR0 0x%x, CR4 0x%x, EFER 0x%x",
                    state.cr0(), state.cr4(), state.efer()));
        }
    }
}
