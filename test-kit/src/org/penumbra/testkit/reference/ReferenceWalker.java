package org.penumbra.testkit.reference;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.EntryBits.P;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/**
 * The page walk of SDM vol. 3, chapter "Paging", in every mode, without any cache and without effects: accessed and dirty flags
 * are reported in the entries, not set. Linear addresses are taken to be canonical. Immutable; any thread.
 */
public final class ReferenceWalker {
    private final int maxPhyAddr;

    /**
     * A walker for which entry bits from {@code maxPhyAddr} up are reserved.
     *
     * @param maxPhyAddr 32 to 52
     */
    public ReferenceWalker(int maxPhyAddr) {
        if (maxPhyAddr < 32 || maxPhyAddr > 52) {
            throw new IllegalArgumentException("MAXPHYADDR " + maxPhyAddr + ": 32 to 52 is needed");
        }
        this.maxPhyAddr = maxPhyAddr;
    }

    /**
     * Translates {@code gva} for an access of kind {@code access} by the tables as {@code memory} shows them.
     *
     * @param memory the 8 bytes at a gpa that is a multiple of 8
     * @param walk filled; {@code walk.outcome} is returned
     * @return {@link AccessRights#ALLOWED} or the error code of the #PF
     */
    public int walk(PagingState state, long gva, int access, LongUnaryOperator memory, Walk walk) {
        TableFormat format = format(state);
        walk.begin(format);
        if (format == null) {
            walk.gpa = gva & 0xffff_ffffL;
            return walk.outcome = AccessRights.ALLOWED;
        }
        long table = state.root();
        if (format == TableFormat.PAE) {
            long register = state.pdptes().of(gva);
            if ((register & P) == 0) {
                return walk.outcome = AccessRights.errorCode(state, access, 0);
            }
            table = format.table(register);
        }
        for (int level = format.levels(); ; level--) {
            long at = table + (long) format.entryBytes() * format.index(gva, level);
            long entry = read(memory, at, format.entryBytes());
            walk.used(level, at, entry);
            if ((entry & P) == 0) {
                return walk.outcome = AccessRights.errorCode(state, access, 0);
            }
            boolean leaf = format.isLeaf(entry, level, state.has4(CR4_PSE));
            if ((entry & format.reserved(level, leaf, maxPhyAddr, state.hasEfer(EFER_NXE))) != 0) {
                return walk.outcome = AccessRights.errorCode(state, access, PageFaultError.PRESENT | PageFaultError.RESERVED);
            }
            walk.rights = AccessRights.combine(walk.rights, format.rights(entry, level));
            if (leaf) {
                walk.level = level;
                walk.gpa = format.gpa(entry, level, gva);
                return walk.outcome = AccessRights.check(state, access, walk.rights, format.key(entry));
            }
            table = format.table(entry);
        }
    }

    /**
     * The structures that a walk under {@code state} uses, which for PAE paging depends on whether there are PDPTE registers; null while
     * paging is off.
     */
    public TableFormat format(PagingState state) {
        PagingMode mode = state.mode();
        return mode == PagingMode.PAE && state.pdptes().inMemory() ? TableFormat.PAE_IN_MEMORY : TableFormat.of(mode);
    }

    /** The MAXPHYADDR that decides which address bits are reserved. */
    public int maxPhyAddr() {
        return maxPhyAddr;
    }

    /** The entry at {@code at}, the low or the high half of 8 bytes if it has 4. */
    static long read(LongUnaryOperator memory, long at, int bytes) {
        long word = memory.applyAsLong(at & ~7L);
        return bytes == 8 ? word : word >>> 8 * (at & 4) & 0xffff_ffffL;
    }
}
