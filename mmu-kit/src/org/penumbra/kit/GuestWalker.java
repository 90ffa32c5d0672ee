package org.penumbra.kit;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;

/**
 * Walks a guest's own tables in software, in whatever paging mode it is, as an MMU does to resolve a fault: KVM's
 * {@code struct guest_walker} and {@code walk_addr}. Reads and updates entries through charged {@link GuestMemory}. The result of
 * a walk stays in the fields until the next one; indices are levels, 1 the leaf tables. Used by one vCPU.
 */
public final class GuestWalker {
    private static final int MAX_LEVELS = 5;

    private final GuestMemory memory;
    private final int physicalBits;
    private final Tracing.Tracer trace;
    /** The aligned 8 bytes around each entry used: compare-and-set is of 8 bytes. */
    private final long[] loaded = new long[MAX_LEVELS + 1];

    /** The format of the tables. */
    public GuestFormat format = GuestFormat.NONE;
    /** Frame of the table of each level. */
    public final long[] tableGfn = new long[MAX_LEVELS + 1];
    /** The entry used at each level, with accessed and dirty bits as the walk left them. */
    public final long[] gpte = new long[MAX_LEVELS + 1];
    /** {@link Rights} granted by the levels above a level: of the path to its table. */
    public final int[] tableRights = new int[MAX_LEVELS + 1];
    /** Level of the entry that maps the page; without paging, when nothing limits its size, one more than any entry has. */
    public int level;
    /** Combined rights of the whole path; without WRITE if the leaf is clean and the access does not write. */
    public int rights;
    /** Frame of the address that was walked. */
    public long gfn;
    /** Error code of a failed walk. */
    public int errorCode;

    /** A walker that tells nobody. */
    public GuestWalker(GuestMemory memory, int physicalBits) {
        this(memory, physicalBits, new Tracing().tracer(-1, () -> 0, () -> 0));
    }

    /**
     * @param physicalBits the guest's MAXPHYADDR
     * @param trace tells of each walk
     */
    public GuestWalker(GuestMemory memory, int physicalBits, Tracing.Tracer trace) {
        this.memory = memory;
        this.physicalBits = physicalBits;
        this.trace = trace;
    }

    /**
     * Walks for {@code access} to {@code gva}, an address of the mode that {@code state} is in. When the rights allow it, sets A at
     * each level used, and D in the leaf for a write, by compare-and-set (SDM vol. 3, "Accessed and Dirty Flags"). PDPTE
     * registers have neither flags nor rights.
     *
     * @return false if the guest is to get a #PF with {@link #errorCode}; no entry was changed then
     */
    public boolean walk(PagingState state, long gva, int access) {
        format = GuestFormat.of(state);
        if (format == GuestFormat.NONE) {
            level = MAX_LEVELS + 1;
            rights = Rights.ALL;
            gfn = (gva & 0xffff_ffffL) >>> 12;
            return true;
        }
        if (trace.on(TracePoint.KVM_MMU_PAGETABLE_WALK)) {
            trace.tell(TracePoint.KVM_MMU_PAGETABLE_WALK, gva, error(0, access, true));
        }
        do {
            if (!find(state, gva, access)) {
                if (trace.on(TracePoint.KVM_MMU_WALKER_ERROR)) {
                    trace.tell(TracePoint.KVM_MMU_WALKER_ERROR, errorCode, 0);
                }
                return false;
            }
            // An entry that another processor changed meanwhile makes the walk start again, as the hardware's would.
        } while (!flag(gva, Access.isWrite(access)));
        long within = (1L << format.shift(level) - 12) - 1;
        gfn = format.pageGfn(gpte[level], level) | gva >>> 12 & within;
        if ((gpte[level] & GuestFormat.DIRTY) == 0) {
            // The first write has to fault, so that D is set then (KVM: protect_clean_gpte).
            rights &= ~Rights.WRITE;
        }
        return true;
    }

    private boolean find(PagingState state, long gva, int access) {
        boolean nxe = state.hasEfer(ControlBits.EFER_NXE);
        rights = Rights.ALL;
        long top = format == GuestFormat.PAE ? pdpte(state, gva) : state.root() | GuestFormat.PRESENT;
        if ((top & GuestFormat.PRESENT) == 0) {
            return fault(0, access, state);
        }
        long table = format.gfn(top);
        for (level = format.levels(); ; level--) {
            tableGfn[level] = table;
            tableRights[level] = rights;
            loaded[level] = load(level, gva);
            long entry = part(loaded[level], level, gva);
            gpte[level] = entry;
            if (trace.on(TracePoint.KVM_MMU_PAGING_ELEMENT)) {
                trace.tell(TracePoint.KVM_MMU_PAGING_ELEMENT, entry, level);
            }
            if ((entry & GuestFormat.PRESENT) == 0) {
                return fault(0, access, state);
            }
            if (format.reservedBits(entry, level, nxe, physicalBits) != 0) {
                return fault(PageFaultError.PRESENT | PageFaultError.RESERVED, access, state);
            }
            rights &= format.rights(entry);
            if (format.isLeaf(entry, level)) {
                boolean byKey = Rights.keyRefuses(rights, GuestFormat.key(entry), access, state);
                return !byKey && Rights.allow(rights, access, state)
                        || fault(PageFaultError.PRESENT | (byKey ? PageFaultError.KEY : 0), access, state);
            }
            table = format.gfn(entry);
        }
    }

    private long pdpte(PagingState state, long gva) {
        boolean inMemory = state.pdptes().inMemory();
        long pdpte = inMemory ? read(state.root() + 8 * (gva >>> 30 & 3)) : state.pdptes().of(gva);
        if (trace.on(TracePoint.KVM_MMU_PAGING_ELEMENT)) {
            trace.tell(TracePoint.KVM_MMU_PAGING_ELEMENT, pdpte, 3);
        }
        return pdpte;
    }

    private boolean flag(long gva, boolean write) {
        for (int l = format.levels(); l >= level; l--) {
            long flags = GuestFormat.ACCESSED | (write && l == level ? GuestFormat.DIRTY : 0);
            if ((gpte[l] & flags) != flags) {
                long wanted = loaded[l] | flags << offset(l, gva);
                if (!memory.compareAndSet(address(l, gva) & -8L, loaded[l], wanted)) {
                    return false;
                }
                tellOf(flags & ~gpte[l], address(l, gva));
                loaded[l] = wanted;
                gpte[l] |= flags;
            }
        }
        return true;
    }

    private void tellOf(long set, long gpa) {
        if ((set & GuestFormat.ACCESSED) != 0 && trace.on(TracePoint.KVM_MMU_SET_ACCESSED_BIT)) {
            trace.tell(TracePoint.KVM_MMU_SET_ACCESSED_BIT, gpa, 0);
        }
        if ((set & GuestFormat.DIRTY) != 0 && trace.on(TracePoint.KVM_MMU_SET_DIRTY_BIT)) {
            trace.tell(TracePoint.KVM_MMU_SET_DIRTY_BIT, gpa, 0);
        }
    }

    /** True if the entry used at {@code atLevel} has changed in memory since the walk of {@code gva}. */
    public boolean changed(int atLevel, long gva) {
        if (atLevel > format.levels()) {
            return false;
        }
        return part(load(atLevel, gva), atLevel, gva) != gpte[atLevel];
    }

    private long load(int atLevel, long gva) {
        return read(address(atLevel, gva) & -8L);
    }

    private long read(long gpa) {
        try {
            return memory.load(gpa, 8);
        } catch (GuestMemoryException e) {
            // A read that nothing answers is all ones on a PC.
            return -1;
        }
    }

    /** The entry of {@code atLevel} for {@code gva} in the 8 bytes around it. */
    private long part(long around, int atLevel, long gva) {
        return format.entryBytes() == 4 ? around >>> offset(atLevel, gva) & 0xffff_ffffL : around;
    }

    /** Bits below the entry for {@code gva} in the 8 bytes around it. */
    private int offset(int atLevel, long gva) {
        return (int) (address(atLevel, gva) & 7) << 3;
    }

    private long address(int atLevel, long gva) {
        return (tableGfn[atLevel] << 12) + (long) format.entryBytes() * format.index(gva, atLevel);
    }

    private boolean fault(int code, int access, PagingState state) {
        // SDM vol. 3, "Page-Fault Exceptions": I/D with SMEP, or with PAE and NXE.
        boolean reportsFetch = state.has4(ControlBits.CR4_SMEP) || state.has4(ControlBits.CR4_PAE) && state.hasEfer(ControlBits.EFER_NXE);
        errorCode = error(code, access, reportsFetch);
        return false;
    }

    /** {@code code} with the bits that say what the access is. */
    private static int error(int code, int access, boolean reportsFetch) {
        return code | (Access.isWrite(access) ? PageFaultError.WRITE : 0) | (Access.isUser(access) ? PageFaultError.USER : 0)
                | (Access.isFetch(access) && reportsFetch ? PageFaultError.FETCH : 0);
    }
}
