package org.penumbra.kit;

import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * Walks a guest's own tables in software, in whatever paging mode it is, as an MMU does to resolve a fault: KVM's
 * {@code struct guest_walker} and {@code walk_addr}. Reads and updates entries through charged {@link GuestMemory}. The result of
 * a walk stays in the fields until the next one; indices are levels, 1 the leaf tables. Used by one vCPU.
 *
 * <p>The tables of a guest that is a hypervisor's guest are walked through that hypervisor's own tables: see {@link #through}.
 */
public final class GuestWalker {
    private static final int MAX_LEVELS = 5;
    /** How the entries for an address end: at one that maps a page, that is not present, that has reserved bits set. */
    private static final int LEAF = 0;
    private static final int ABSENT = 1;
    private static final int RESERVED = 2;

    /** What is asked before a dirty flag is set in EPT tables, and told afterwards. */
    public interface DirtyFlags {
        /** True if one may be set now. */
        boolean maySet();

        /** One was set for a write to {@code gpa}. */
        void set(long gpa);
    }

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
    /** Error code of a failed walk of a guest's page tables. */
    public int errorCode;
    /** Of a failed walk of EPT tables: an entry is misconfigured; otherwise it is a violation. Never of nested tables. */
    public boolean misconfigured;
    /** Of a failed walk of EPT tables: it allows the access, but no dirty flag could be set. */
    public boolean unflagged;
    /** Of a failed walk of EPT tables: bit 63 of the entry at which it ended; true where there was none (SDM vol. 3, "Convertible EPT Violations"). */
    public boolean suppressVe;
    /** A walk failed since an address in it, {@link #refusedGpa}, is not translated by the hypervisor's tables, whose walk failed. */
    public boolean refused;
    public long refusedGpa;
    /** What the walk did there was a write: an entry's flag, or whatever the hypervisor's tables take for one. */
    public boolean refusedWrite;
    /** Accessed and dirty flags are kept. */
    private boolean flags = true;
    /** Null if nobody is asked. */
    private DirtyFlags dirtyFlags;
    /** The walk of the tables that translate the addresses in these tables; null if these are guest-physical. */
    private final GuestWalker outer;
    private TranslationRoot tables;

    /** A walker that tells nobody. */
    public GuestWalker(GuestMemory memory, int physicalBits) {
        this(memory, physicalBits, new Tracing().tracer(-1, () -> 0, () -> 0));
    }

    /**
     * @param physicalBits the guest's MAXPHYADDR
     * @param trace tells of each walk
     */
    public GuestWalker(GuestMemory memory, int physicalBits, Tracing.Tracer trace) {
        this(memory, physicalBits, trace, null);
    }

    /**
     * A walker of tables whose addresses are those of an L2, if {@code outer} is not null: {@link #through} says by which tables of
     * its hypervisor they are translated, and {@code outer} walks those.
     */
    public GuestWalker(GuestMemory memory, int physicalBits, Tracing.Tracer trace, GuestWalker outer) {
        this.memory = memory;
        this.physicalBits = physicalBits;
        this.trace = trace;
        this.outer = outer;
    }

    /** Dirty flags in EPT tables are set as {@code keeper} says. */
    public void flagBy(DirtyFlags keeper) {
        dirtyFlags = keeper;
    }

    /** The addresses in the tables of the walks from now on are translated by {@code tablesOfThem}, EPT's or nested ones. */
    public void through(TranslationRoot tablesOfThem) {
        tables = tablesOfThem;
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
        flags = true;
        refused = false;
        if (format == GuestFormat.NONE) {
            level = MAX_LEVELS + 1;
            rights = Rights.ALL;
            gfn = (gva & 0xffff_ffffL) >>> 12;
            return true;
        }
        begin(gva, error(0, access, true));
        do {
            if (!find(state, gva, access)) {
                return failed();
            }
            // An entry that another processor changed meanwhile makes the walk start again, as the hardware's would.
        } while (!flag(gva, Access.isWrite(access)));
        return !refused && found(gva);
    }

    /**
     * Walks the tables of a hypervisor that {@code root} names for {@code access} (READ, WRITE or FETCH) to the guest-physical address
     * {@code gpa}. Of nested tables it is a user's access by the host's page tables (APM vol. 2, "Nested versus Guest Page Faults, Fault
     * Ordering").
     *
     * @return false if it is refused: by EPT tables, with {@link #rights} what the entries that were used have in common, or
     *     {@link #misconfigured}; by nested tables, with {@link #errorCode}
     */
    public boolean walkTables(TranslationRoot root, long gpa, int access) {
        if (root instanceof TranslationRoot.Nested npt) {
            misconfigured = false;
            unflagged = false;
            return walkNested(npt, gpa, access | Access.USER);
        }
        return walkEpt(root.register(), gpa, access);
    }

    private boolean walkNested(TranslationRoot.Nested root, long gpa, int access) {
        PagingState host = GuestFormat.hostOf(root);
        if (gpa >>> host.mode().linearBits() != 0) {
            refused = false;
            return fault(0, access, host);
        }
        return walk(host, gpa, access);
    }

    /** Flags are set as bit 6 of {@code root}, an EPTP, says (SDM vol. 3, "Accessed and Dirty Flags for EPT"). */
    private boolean walkEpt(long root, long gpa, int access) {
        format = GuestFormat.ofEpt(root);
        flags = (root & GuestFormat.EPTP_FLAGS) != 0;
        refused = false;
        unflagged = false;
        if (gpa >>> format.shift(format.levels() + 1) != 0) {
            // More bits than EPT of so many levels translates.
            misconfigured = false;
            rights = 0;
            suppressVe = true;
            return false;
        }
        begin(gpa, error(0, access, true));
        do {
            misconfigured = false;
            int end = descend(format.gfn(root), gpa, true);
            if (end != LEAF || !Rights.allowInEpt(rights, access)) {
                misconfigured = end == RESERVED;
                suppressVe = gpte[level] < 0;
                rights = end == ABSENT ? 0 : rights;
                errorCode = 0;
                return failed();
            }
        } while (!flag(gpa, Access.isWrite(access)));
        return !unflagged && found(gpa);
    }

    private void begin(long gva, int code) {
        if (trace.on(TracePoint.KVM_MMU_PAGETABLE_WALK)) {
            trace.tell(TracePoint.KVM_MMU_PAGETABLE_WALK, gva, code);
        }
    }

    private boolean failed() {
        if (trace.on(TracePoint.KVM_MMU_WALKER_ERROR)) {
            trace.tell(TracePoint.KVM_MMU_WALKER_ERROR, errorCode, 0);
        }
        return false;
    }

    private boolean found(long gva) {
        long within = (1L << format.shift(level) - 12) - 1;
        gfn = format.pageGfn(gpte[level], level) | gva >>> 12 & within;
        if (flags && (gpte[level] & format.dirty()) == 0) {
            // The first write has to fault, so that D is set then (KVM: protect_clean_gpte).
            rights &= ~Rights.WRITE;
        }
        rights |= format.memoryType(gpte[level]);
        return true;
    }

    private boolean find(PagingState state, long gva, int access) {
        long top = format == GuestFormat.PAE ? pdpte(state, gva) : state.root() | GuestFormat.PRESENT;
        rights = Rights.ALL;
        if ((top & GuestFormat.PRESENT) == 0) {
            return fault(0, access, state);
        }
        switch (descend(format.gfn(top), gva, state.hasEfer(ControlBits.EFER_NXE))) {
            case ABSENT:
                return fault(0, access, state);
            case RESERVED:
                return fault(PageFaultError.PRESENT | PageFaultError.RESERVED, access, state);
            default:
                boolean byKey = Rights.keyRefuses(rights, GuestFormat.key(gpte[level]), access, state);
                return !byKey && Rights.allow(rights, access, state)
                        || fault(PageFaultError.PRESENT | (byKey ? PageFaultError.KEY : 0), access, state);
        }
    }

    /** Follows the entries for {@code gva} from the table in {@code top}; answers how they end, at {@link #level}. */
    private int descend(long top, long gva, boolean nxe) {
        rights = Rights.ALL;
        long table = top;
        for (level = format.levels(); ; level--) {
            tableGfn[level] = table;
            tableRights[level] = rights;
            loaded[level] = load(level, gva);
            long entry = part(loaded[level], level, gva);
            gpte[level] = entry;
            tellOf(entry, level);
            if (refused || !format.present(entry)) {
                return ABSENT;
            }
            if (format.reservedBits(entry, level, nxe, physicalBits) != 0) {
                return RESERVED;
            }
            rights &= format.rights(entry);
            if (format.isLeaf(entry, level)) {
                return LEAF;
            }
            table = format.gfn(entry);
        }
    }

    private long pdpte(PagingState state, long gva) {
        boolean inMemory = state.pdptes().inMemory();
        long pdpte = inMemory ? read(state.root() + 8 * (gva >>> 30 & 3)) : state.pdptes().of(gva);
        tellOf(pdpte, 3);
        return pdpte;
    }

    private void tellOf(long entry, int atLevel) {
        if (trace.on(TracePoint.KVM_MMU_PAGING_ELEMENT)) {
            trace.tell(TracePoint.KVM_MMU_PAGING_ELEMENT, entry, atLevel);
        }
    }

    private boolean flag(long gva, boolean write) {
        for (int l = format.levels(); l >= level; l--) {
            long wanted = format.accessed() | (write && l == level ? format.dirty() : 0);
            if (flags && (gpte[l] & wanted) != wanted) {
                boolean asked = dirtyFlags != null && format.isEpt() && (wanted & ~gpte[l] & format.dirty()) != 0;
                if (asked && !dirtyFlags.maySet()) {
                    unflagged = true;
                    return true;
                }
                long next = loaded[l] | wanted << offset(l, gva);
                long at = physical(address(l, gva) & -8L, Access.WRITE);
                if (refused) {
                    return true;
                }
                if (!memory.compareAndSet(at, loaded[l], next)) {
                    return false;
                }
                if (asked) {
                    dirtyFlags.set(gva);
                }
                tellSet(wanted & ~gpte[l], address(l, gva));
                loaded[l] = next;
                gpte[l] |= wanted;
            }
        }
        return true;
    }

    private void tellSet(long set, long gpa) {
        if ((set & format.accessed()) != 0 && trace.on(TracePoint.KVM_MMU_SET_ACCESSED_BIT)) {
            trace.tell(TracePoint.KVM_MMU_SET_ACCESSED_BIT, gpa, 0);
        }
        if ((set & format.dirty()) != 0 && trace.on(TracePoint.KVM_MMU_SET_DIRTY_BIT)) {
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

    /** The address in memory of {@code gpa}, which an entry has: itself unless these are the tables of an L2. Sets {@link #refused}. */
    private long physical(long gpa, int access) {
        if (outer == null || outer.walkTables(tables, gpa, access)) {
            return outer == null ? gpa : outer.gfn << 12 | gpa & 0xfff;
        }
        refused = true;
        refusedGpa = gpa;
        refusedWrite = Access.isWrite(access);
        return -1;
    }

    private long read(long gpa) {
        long at = physical(gpa, outer != null && GuestFormat.entryAccessWrites(tables) ? Access.WRITE : Access.READ);
        if (refused) {
            return 0;
        }
        try {
            return memory.load(at, 8);
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
