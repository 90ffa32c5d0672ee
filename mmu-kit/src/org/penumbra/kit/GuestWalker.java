package org.penumbra.kit;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/**
 * Walks a guest's own tables in software, as an MMU does to resolve a fault: KVM's {@code struct guest_walker} and
 * {@code walk_addr}. Reads and updates entries through charged {@link GuestMemory}. The result of a walk stays in the fields
 * until the next one; indices are levels, 1 the leaf tables. Used by one vCPU.
 */
public final class GuestWalker {
    private static final int MAX_LEVELS = 5;

    private final GuestFormat format;
    private final GuestMemory memory;
    private final int physicalBits;

    /** Frame of the table of each level. */
    public final long[] tableGfn = new long[MAX_LEVELS + 1];
    /** The entry used at each level, with accessed and dirty bits as the walk left them. */
    public final long[] gpte = new long[MAX_LEVELS + 1];
    /** {@link Rights} granted by the levels above a level: of the path to its table. */
    public final int[] tableRights = new int[MAX_LEVELS + 1];
    /** Level of the entry that maps the page. */
    public int level;
    /** Combined rights of the whole path; without WRITE if the leaf is clean and the access does not write. */
    public int rights;
    /** Frame of the address that was walked. */
    public long gfn;
    /** Error code of a failed walk. */
    public int errorCode;

    /**
     * @param physicalBits the guest's MAXPHYADDR
     */
    public GuestWalker(GuestFormat format, GuestMemory memory, int physicalBits) {
        this.format = format;
        this.memory = memory;
        this.physicalBits = physicalBits;
    }

    /**
     * Walks for {@code access} to {@code gva}. When the rights allow it, sets A at each level used, and D in the leaf for a write,
     * by compare-and-set (SDM vol. 3, "Accessed and Dirty Flags").
     *
     * @return false if the guest is to get a #PF with {@link #errorCode}; no entry was changed then
     */
    public boolean walk(PagingState state, long gva, int access) {
        do {
            if (!find(state, gva, access)) {
                return false;
            }
            // An entry that another processor changed meanwhile makes the walk start again, as the hardware's would.
        } while (!flag(gva, Access.isWrite(access)));
        long within = (1L << format.shift(level) - 12) - 1;
        // Of a large page, bit 12 is PAT and no part of its frame number.
        gfn = format.gfn(gpte[level]) & ~within | gva >>> 12 & within;
        if ((gpte[level] & GuestFormat.DIRTY) == 0) {
            // The first write has to fault, so that D is set then (KVM: protect_clean_gpte).
            rights &= ~Rights.WRITE;
        }
        return true;
    }

    private boolean find(PagingState state, long gva, int access) {
        boolean nxe = state.hasEfer(ControlBits.EFER_NXE);
        rights = Rights.ALL;
        long table = state.root() >>> 12;
        for (level = format.levels(); ; level--) {
            tableGfn[level] = table;
            tableRights[level] = rights;
            long entry = load(level, gva);
            gpte[level] = entry;
            if ((entry & GuestFormat.PRESENT) == 0) {
                return fault(0, access, state);
            }
            if (format.reservedBits(entry, level, nxe, physicalBits) != 0) {
                return fault(PageFaultError.PRESENT | PageFaultError.RESERVED, access, state);
            }
            rights &= format.rights(entry);
            if (format.isLeaf(entry, level)) {
                return Rights.allow(rights, access, state) || fault(PageFaultError.PRESENT, access, state);
            }
            table = format.gfn(entry);
        }
    }

    private boolean flag(long gva, boolean write) {
        for (int l = format.levels(); l >= level; l--) {
            long wanted = gpte[l] | GuestFormat.ACCESSED | (write && l == level ? GuestFormat.DIRTY : 0);
            if (gpte[l] != wanted) {
                if (!memory.compareAndSet(address(l, gva), gpte[l], wanted)) {
                    return false;
                }
                gpte[l] = wanted;
            }
        }
        return true;
    }

    /** True if the entry used at {@code atLevel} has changed in memory since the walk of {@code gva}. */
    public boolean changed(int atLevel, long gva) {
        return load(atLevel, gva) != gpte[atLevel];
    }

    private long load(int atLevel, long gva) {
        try {
            return memory.load(address(atLevel, gva), 8);
        } catch (GuestMemoryException e) {
            // A read that nothing answers is all ones on a PC, which as an entry is a reserved-bit fault.
            return -1;
        }
    }

    private long address(int atLevel, long gva) {
        return (tableGfn[atLevel] << 12) + 8L * format.index(gva, atLevel);
    }

    private boolean fault(int code, int access, PagingState state) {
        errorCode = code;
        if (Access.isWrite(access)) {
            errorCode |= PageFaultError.WRITE;
        }
        if (Access.isUser(access)) {
            errorCode |= PageFaultError.USER;
        }
        if (Access.isFetch(access) && (state.hasEfer(ControlBits.EFER_NXE) || state.has4(ControlBits.CR4_SMEP))) {
            errorCode |= PageFaultError.FETCH;
        }
        return false;
    }
}
