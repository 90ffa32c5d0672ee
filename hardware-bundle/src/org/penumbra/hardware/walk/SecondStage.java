package org.penumbra.hardware.walk;

import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.StageWalker;

/**
 * The second dimension: gpa to hpa through EPT or nested paging, with a nested TLB of guest-physical mappings in front of the walk.
 * Used for every entry of the guest's tables and for the translated address itself. Results are in the fields. One thread.
 *
 * <p>Rights have one form, whatever the format of the tables:
 *
 * <pre>
 *  bit  0    R     readable
 *  bit  1    W     writable, and no dirty flag has to be set for a write
 *  bit  2    X     executable for supervisor-mode linear addresses
 *  bit  3    XU    executable for user-mode linear addresses
 *  bits 6:4        memory type of the page (EPT)
 *  bit  7          ignore PAT (EPT)
 * </pre>
 */
public final class SecondStage {
    public static final long R = 1;
    public static final long W = 1L << 1;
    public static final long X = 1L << 2;
    public static final long XU = 1L << 3;
    public static final long IGNORE_PAT = 1L << 7;
    /** Every right. */
    static final long ALL = R | W | X | XU;
    /** Memory type and "ignore PAT". */
    private static final long TYPE = 0xf0;
    private static final int MOST_PHYSICAL_BITS = 52;

    private final Walker walker;
    private final TlbArray nested;
    private final StructureCaches structures;
    private final ModificationLog log;
    private final WalkMeter meter;
    private final SubPages subPages;
    private final OwnWalk ownWalk;
    /** What walks instead of {@link #walker}; null if that one does. */
    private StageWalker own;
    private long ownRegister;
    private int context;
    /** Bits of a guest-physical address that the tables translate: no entry maps what is beyond. */
    private int width;
    private boolean ept;
    private boolean modeBasedExecute;
    private boolean flags;
    private boolean countsAsWrite;
    /** The access to entries of the guest's tables: operation, right, and the bits that the tables must grant. */
    private int entryOperation;
    private long entryRight;
    private long entryNeeds;
    /** The dirty flag of the format. */
    private long dirty;

    /** hpa of the last translated address. */
    public long hpa;
    /** Rights of its translation. */
    public long rights;
    /** Size of its page as a power of two. */
    public int shift;

    /**
     * Of the last refusal: {@link Walker#NOT_PRESENT}, {@link Walker#MALFORMED}, {@link Walker#DENIED}, {@link Walker#LOG_FULL}, {@link SubPages#MISS}
     * or {@link SubPages#MISCONFIGURED}.
     */
    public int reason;
    /** Of the last refusal: the gpa that was refused. */
    public long refused;
    /** Of the last refusal: the operation, READ, WRITE or FETCH of {@link Access}. */
    public int operation;
    /** Of the last refusal: it was for the translation of a linear address, not for an entry of the guest's tables. */
    public boolean finalAddress;
    /** Of the last refusal: the rights, as far as the walk came. */
    public long had;
    /** Of the last refusal: bit 63 of the entry at which the walk ended, for EPT "suppress #VE"; true where there was no walk. */
    public boolean suppressVe;

    /**
     * @param nested the nested TLB, or null
     * @param structures guest-physical paging-structure-cache entries
     * @param vectors sub-page permissions
     */
    public SecondStage(PhysicalMemory memory, WalkMeter meter, TlbArray nested, StructureCaches structures, TlbArray vectors, int maxPhysicalBits) {
        this.nested = nested;
        this.structures = structures;
        this.meter = meter;
        log = new ModificationLog(memory);
        walker = new Walker(memory, meter, null, null, structures, null, log);
        subPages = new SubPages(memory, meter, vectors, maxPhysicalBits);
        ownWalk = new OwnWalk(memory, meter);
    }

    /** Sets EPT tables by their pointer. */
    public void loadEpt(Format format, long eptp, boolean mbec) {
        own = null;
        ept = true;
        modeBasedExecute = mbec;
        flags = (eptp & Ept.EPTP_FLAGS) != 0;
        width = format.addressBits();
        dirty = format.dirty;
        accessEntries(flags);
        walker.load(format, eptp & format.address, null, context, 0, flags, false);
    }

    /** Sets nested page tables: the format of the host's paging mode. Accessed and dirty flags are always maintained. */
    public void loadNpt(Format format, long root, boolean noExecute) {
        own = null;
        ept = false;
        modeBasedExecute = false;
        flags = true;
        width = format.addressBits();
        dirty = format.dirty;
        accessEntries(true);
        walker.load(format, root, null, context, noExecute || format.entryShift == 2 ? 0 : Paging.XD, true, false);
    }

    /** Sets structures that {@code tables} walks; rights are those of EPT, without accessed and dirty flags. */
    public void loadOwn(StageWalker tables, long register) {
        own = tables;
        ownRegister = register;
        ept = true;
        modeBasedExecute = false;
        flags = false;
        width = MOST_PHYSICAL_BITS;
        accessEntries(false);
    }

    /** Lets go of what {@link #loadOwn} set. */
    public void forgetOwn() {
        own = null;
    }

    private void accessEntries(boolean asWrites) {
        countsAsWrite = asWrites;
        entryOperation = asWrites ? Access.WRITE : Access.READ;
        entryRight = asWrites ? W : R;
        entryNeeds = needed(entryRight);
    }

    /** Where dirty flags are logged. */
    public ModificationLog log() {
        return log;
    }

    /** Which parts of pages may be written. */
    public SubPages subPages() {
        return subPages;
    }

    /** Has {@code nestedContext} tag guest-physical mappings from now on. */
    public void tag(int nestedContext) {
        context = nestedContext;
        walker.tag(nestedContext);
    }

    /** Memory references to entries of the second dimension so far. */
    public long references() {
        return walker.references + ownWalk.references + subPages.references;
    }

    /**
     * The hpa of {@code gpa}, to which a linear address was translated, for an access of kind {@code access}; −1 if refused.
     *
     * @param user the linear address is a user-mode one by the guest's tables
     */
    public long page(long gpa, int access, boolean user) {
        int op = access & 3;
        long right = op == Access.READ ? R : op == Access.WRITE ? W : user ? XU : X;
        long found = translate(gpa, op, right, needed(right), true);
        return found < 0 && subPages.on() && right == W && reason == Walker.DENIED ? writeToSubPage(gpa) : found;
    }

    /**
     * The hpa of {@code gpa}, to which the tables have refused a write. Eligible for sub-page write permissions is a write to a 4 KiB page whose
     * EPT PTE has bit 61 and alone refuses it; the flags of the second dimension are set as for any write.
     */
    private long writeToSubPage(long gpa) {
        if (walker.lastLevel != 1 || (walker.last & SubPages.SPP) == 0 || (walker.above & Ept.W) == 0) {
            return -1;
        }
        int answer = subPages.permission(gpa, context);
        if (answer == SubPages.PERMITTED) {
            return translate(gpa, Access.WRITE, 0, 0, true);
        }
        reason = answer == SubPages.DENIED ? Walker.DENIED : answer;
        return -1;
    }

    /** The hpa of {@code gpa}, where the processor reads PDPTEs to be loaded into registers; −1 if refused. Never a write. */
    public long pdptes(long gpa) {
        return translate(gpa, Access.READ, R, needed(R), false);
    }

    /** True if the tables say memory types: EPT. */
    public boolean hasTypes() {
        return ept;
    }

    /** True if the processor's own accesses to guest tables count as writes. */
    boolean countsAsWrite() {
        return countsAsWrite;
    }

    /**
     * The hpa of {@code gpa}, where an entry of a guest table is; −1 if refused. The access counts as a write with accessed and dirty
     * flags for EPT (SDM vol. 3, "Accessed and Dirty Flags for EPT"), and always with nested paging (APM vol. 2, "Nested versus Guest
     * Page Faults, Fault Ordering").
     */
    long entry(long gpa) {
        return translate(gpa, entryOperation, entryRight, entryNeeds, false);
    }

    /** True if every translation is a walk by {@link Walker} through nothing but tables. */
    boolean isPlain() {
        return nested == null && own == null && walker.isPlain();
    }

    /** Changes whenever the same entries may mean something else. */
    int reading() {
        return walker.reading();
    }

    /** Where the top table is. */
    long root() {
        return walker.root();
    }

    /** As {@link #entry}, where {@link #isPlain}: appends to {@code path} what is read, and counts nothing; −1, too, if an entry is unusual. */
    long follow(Path path, long gpa) {
        return gpa >>> width != 0 ? -1 : walker.follow(path, gpa, entryOperation, entryNeeds);
    }

    /** {@code entries} entries were read through a path. */
    void count(int entries) {
        walker.references += entries;
    }

    /**
     * The hpa of {@code gpa} for the write of a flag to the guest entry there; −1 if refused. Asked when the translation that the entry
     * was read by does not allow it: that may have been a cached one, and the tables may say otherwise by now.
     */
    long update(long gpa) {
        return translate(gpa, Access.WRITE, W, needed(W), false);
    }

    /** Drops the guest-physical mappings that would be used for {@code gpa}. */
    public void drop(long gpa) {
        for (int s = 12; nested != null && s <= 30; s += 9) {
            int i = nested.find(PageTag.of(gpa, s), context);
            if (i >= 0) {
                nested.drop(i);
            }
        }
        subPages.drop(gpa, context);
        if (own == null) {
            structures.dropUsed(gpa, context, walker.format());
        }
    }

    private long translate(long gpa, int op, long wanted, long needed, boolean last) {
        if (nested != null && !nested.isEmpty() && cached(gpa, wanted)) {
            return hpa;
        }
        if (gpa >>> width != 0) {
            refuse(Walker.NOT_PRESENT, gpa, op, last, 0);
            suppressVe = true;
            return -1;
        }
        int result = own == null ? walker.walk(gpa, op, needed) : ownWalk.run(own, ownRegister, gpa, needed);
        long raw = own == null ? walker.rights : ownWalk.rights;
        long now = normal(raw);
        if (result != Walker.DONE) {
            refuse(result, gpa, op, last, now);
            return -1;
        }
        if (flags && (raw & dirty) == 0) {
            now &= ~W;
        }
        int size = own == null ? walker.shift : ownWalk.shift;
        shift = cut(size);
        rights = now;
        hpa = (own == null ? walker.page : ownWalk.page) | gpa & (1L << size) - 1;
        if (nested != null) {
            nested.insert(PageTag.of(gpa, shift), context, hpa & -1L << shift, now, 0);
        }
        return hpa;
    }

    private boolean cached(long gpa, long wanted) {
        for (int s = 12; s <= 30; s += 9) {
            int i = nested.find(PageTag.of(gpa, s), context);
            if (i >= 0) {
                if ((nested.rights(i) & wanted) != 0) {
                    rights = nested.rights(i);
                    shift = s;
                    hpa = nested.frame(i) | gpa & (1L << s) - 1;
                    if (meter.listener != null) {
                        meter.listener.served(WalkListener.Cache.NESTED_TLB, gpa, (s - 3) / 9, nested.frame(i));
                    }
                    return true;
                }
                nested.drop(i);
            }
        }
        return false;
    }

    /** A page of 4 MiB is cached by pieces of 2 MiB. */
    private static int cut(int size) {
        return size == 22 ? 21 : size;
    }

    /** The bits of combined rights that the tables must grant; every nested access is a user-mode one to nested page tables. */
    private long needed(long wanted) {
        if (ept) {
            return wanted == XU ? modeBasedExecute ? Ept.XU : Ept.X : wanted;
        }
        return Paging.US | (wanted == W ? Paging.RW : wanted == R ? 0 : Paging.XD);
    }

    private long normal(long raw) {
        if (ept) {
            long user = modeBasedExecute ? raw >>> 7 & XU : (raw & Ept.X) << 1;
            return raw & (R | W | X) | user | raw << 1 & TYPE;
        }
        boolean executable = (raw & Paging.XD) != 0;
        return (raw & Paging.US) == 0 ? 0 : R | raw & W | (executable ? X | XU : 0);
    }

    private void refuse(int why, long gpa, int op, boolean last, long rightsThere) {
        reason = why;
        refused = gpa;
        operation = op;
        finalAddress = last;
        had = rightsThere;
        suppressVe = walker.last < 0;
    }

    /** The {@link Access} kinds that {@code rights} permit for a linear address of user or supervisor mode. */
    static int allowed(long rights, boolean user) {
        return ((rights & R) != 0 ? kinds(Access.READ) : 0)
                | ((rights & W) != 0 ? kinds(Access.WRITE) : 0)
                | ((rights & (user ? XU : X)) != 0 ? kinds(Access.FETCH) : 0);
    }

    private static int kinds(int operation) {
        return 0x111 << operation;
    }
}
