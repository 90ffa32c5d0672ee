package org.penumbra.testkit.reference;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.testkit.reference.EptWalk.Outcome;

/**
 * The walk of SDM vol. 3, "EPT Translation Mechanism", of 4 or 5 levels, without any cache and without effects.
 *
 * <pre>
 *  bit  0     R     reads are allowed
 *  bit  1     W     writes are allowed
 *  bit  2     X     fetches are allowed; with mode-based execute control those from supervisor-mode linear addresses
 *  bits 5:3         leaf: memory type; elsewhere reserved
 *  bit  6     IPAT  leaf: ignore PAT; elsewhere reserved
 *  bit  7           levels 2, 3: leaf of 2 MiB, 1 GiB; level 1: ignored; levels 4, 5: reserved
 *  bit  8     A     with EPTP bit 6: the entry was used; else ignored
 *  bit  9     D     leaf, with EPTP bit 6: the page was written; else ignored
 *  bit  10    XU    with mode-based execute control: fetches from user-mode linear addresses are allowed; else ignored
 *  bits 51:12       frame of the next table or of the page; reserved below the page size and from MAXPHYADDR up
 *
 *  EPTP bits 2:0    memory type of the tables
 *       bits 5:3    levels − 1
 *       bit  6      accessed and dirty flags
 *       bits 51:12  hpa of the top table
 * </pre>
 *
 * An entry is present if R, W or X is 1, or XU with mode-based execute control. Immutable; any thread.
 */
public final class EptWalker {
    public static final long ACCESSED = 1L << 8;
    public static final long DIRTY = 1L << 9;
    private static final long R = 1;
    private static final long W = 1L << 1;
    private static final long X = 1L << 2;
    private static final long XU = 1L << 10;
    private static final long LEAF = 1L << 7;
    private static final long FLAGS = 1L << 6;
    private static final long FRAME = 0x000f_ffff_ffff_f000L;

    private final long beyond;
    private final boolean executeOnly;
    private final boolean modeBased;

    /**
     * A walker on a processor and under controls.
     *
     * @param maxPhyAddr entry bits from here to 51 are reserved
     * @param executeOnly IA32_VMX_EPT_VPID_CAP bit 0: X without R is allowed
     * @param modeBased "mode-based execute control for EPT"
     */
    public EptWalker(int maxPhyAddr, boolean executeOnly, boolean modeBased) {
        beyond = FRAME & -1L << maxPhyAddr;
        this.executeOnly = executeOnly;
        this.modeBased = modeBased;
    }

    /**
     * Translates {@code gpa}.
     *
     * @param access bits READ, WRITE and FETCH of {@link EptViolation}; an access to a guest paging-structure entry is a READ, with
     *     accessed and dirty flags READ and WRITE
     * @param userAddress of a FETCH: every entry of the guest's walk has U/S = 1, or its paging is off
     * @param memory the 8 bytes at an hpa that is a multiple of 8
     * @param walk filled; {@code walk.outcome} is returned
     */
    public Outcome walk(long eptp, long gpa, int access, boolean userAddress, LongUnaryOperator memory, EptWalk walk) {
        int levels = (int) (eptp >>> 3 & 7) + 1;
        walk.begin(levels, (eptp & FLAGS) != 0);
        if (gpa >>> 12 + 9 * levels != 0) {
            return refuse(walk, access, 0);
        }
        long table = table(eptp);
        long rights = R | W | X | XU;
        for (int level = levels; ; level--) {
            long at = table + 8 * (gpa >>> 12 + 9 * (level - 1) & 511);
            long entry = memory.applyAsLong(at);
            walk.used(level, at, entry);
            if ((entry & (R | W | X | (modeBased ? XU : 0))) == 0) {
                return refuse(walk, access, 0);
            }
            boolean leaf = isLeaf(entry, level);
            if (misconfigured(entry, level)) {
                return walk.outcome = Outcome.MISCONFIGURATION;
            }
            rights &= entry;
            if (leaf) {
                walk.level = level;
                walk.memoryType = (int) (entry >>> 3) & 7;
                walk.ignorePat = (entry >>> 6 & 1) != 0;
                long needed = (access & EptViolation.READ) != 0 ? R : 0;
                needed |= (access & EptViolation.WRITE) != 0 ? W : 0;
                needed |= (access & EptViolation.FETCH) == 0 ? 0 : modeBased && userAddress ? XU : X;
                if ((rights & needed) != needed) {
                    return refuse(walk, access, rights);
                }
                long offset = (1L << 12 + 9 * (level - 1)) - 1;
                walk.hpa = entry & FRAME & ~offset | gpa & offset;
                return walk.outcome = Outcome.ALLOWED;
            }
            table = table(entry);
        }
    }

    /** True if a guest-table access under {@code eptp} counts as a write: "Accessed and Dirty Flags for EPT". */
    public static boolean tableAccessWrites(long eptp) {
        return (eptp & FLAGS) != 0;
    }

    /** True if {@code entry}, present at {@code level}, maps a page and not a table. */
    public static boolean isLeaf(long entry, int level) {
        return level == 1 || level <= 3 && (entry & LEAF) != 0;
    }

    /** The address of the table that {@code entry}, or an EPTP, refers to. */
    public static long table(long entry) {
        return entry & FRAME;
    }

    /** SDM vol. 3, "EPT Misconfigurations", of a present entry. */
    public boolean misconfigured(long entry, int level) {
        boolean leaf = isLeaf(entry, level);
        boolean readable = (entry & R) != 0;
        boolean executable = (entry & (X | (modeBased ? XU : 0))) != 0;
        if (!readable && ((entry & W) != 0 || executable && !executeOnly)) {
            return true;
        }
        if (!leaf) {
            return (entry & (beyond | 0x78 | (level > 3 ? LEAF : 0))) != 0;
        }
        int type = (int) (entry >>> 3) & 7;
        long belowPage = (1L << 12 + 9 * (level - 1)) - 1 & -1L << 12;
        return (entry & (beyond | belowPage)) != 0 || type == 2 || type == 3 || type == 7;
    }

    /** SDM vol. 3, table "Exit Qualification for EPT Violations"; {@code rights} are 0 where an entry was not present. */
    private Outcome refuse(EptWalk walk, int access, long rights) {
        walk.qualification = access | (int) (rights & 7) << 3 | (modeBased && (rights & XU) != 0 ? EptViolation.USER_EXECUTABLE : 0);
        return walk.outcome = Outcome.VIOLATION;
    }
}
