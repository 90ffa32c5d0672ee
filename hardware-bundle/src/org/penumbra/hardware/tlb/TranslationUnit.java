package org.penumbra.hardware.tlb;

import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;

import java.util.function.LongConsumer;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.StageWalker;
import org.penumbra.hardware.cache.DataCaches;
import org.penumbra.hardware.type.MemoryTypes;
import org.penumbra.hardware.walk.Format;
import org.penumbra.hardware.walk.GuestRights;
import org.penumbra.hardware.walk.LinearWalk;
import org.penumbra.hardware.walk.PageTag;
import org.penumbra.hardware.walk.Paging;
import org.penumbra.hardware.walk.SecondStage;
import org.penumbra.hardware.walk.SubPages;
import org.penumbra.hardware.walk.WalkMeter;
import org.penumbra.hardware.walk.Walker;

/**
 * Address translation of one logical processor: second-level TLB, paging-structure caches, walk, fills, and the invalidations of
 * the current address space, by the names the manuals give their causes. It knows no privileged operation and no exit: it answers with an address, a page fault
 * or a refusal of the second dimension, and its owner makes of that what the mode of operation asks for. One thread; translation
 * allocates nothing.
 *
 * <p>One class although it is long: every fill and every invalidation is about the same arrays, which nobody else may see.
 */
public final class TranslationUnit {
    /** No translation: #PF with {@link #errorCode}. TLB and paging-structure-cache entries for the address are gone. */
    public static final long PAGE_FAULT = -1;
    /** The second dimension refused: see {@link #stage}. */
    public static final long REFUSED = -2;
    /** No translation in the tables of a design for linear addresses: #PF with {@link #errorCode}, to be intercepted. What is cached is gone. */
    public static final long OWED = -4;
    /** The address is not canonical. */
    public static final long NOT_CANONICAL = -3;

    private static final long PCID_MASK = Contexts.VPID | Contexts.PHYSICAL | Contexts.GLOBAL | Contexts.PCID;
    /** Pages without paging are cached in pieces of this size, as a power of two, if the second dimension allows it. */
    private static final int UNPAGED_SHIFT = 21;

    private final Tlbs tlbs;
    private final Invalidations named;
    private final CycleClock clock;
    private final WalkMeter meter;
    private final GuestRights rule = new GuestRights();
    private boolean deprivileged;
    private final Walker walker;
    private final SecondStage stage;
    private final LinearWalk linear;
    private final MemoryTypes types;
    private final EffectiveTypes effective;
    private final int maxPhysicalBits;
    private final Formats formats;

    private PagingMode mode = PagingMode.NONE;
    private boolean longMode;
    private int linearShift;
    private boolean twoStages;
    private int vpid;
    private int pcid;
    private long stageRoot;
    private int stageAsid;
    private long rootKey;
    private int context;
    private int globalContext = -1;
    private int physicalContext;
    private int errorCode;

    private long secondLevelHits;
    private long walks;
    private long completedWalks;
    private long completedReferences;

    /** @param updates told of each guest entry that a walk writes, or reads in a way that counts as a write; or null */
    public TranslationUnit(CostProfile profile, PhysicalMemory memory, CycleClock clock, LongConsumer updates) {
        int m = (int) profile.figure("cpu.maxphyaddr");
        this.clock = clock;
        maxPhysicalBits = m;
        formats = new Formats(m);
        types = new MemoryTypes(m);
        tlbs = new Tlbs(profile, formats.widest());
        named = new Invalidations(tlbs);
        meter = new WalkMeter(clock, DataCaches.of(profile));
        stage = new SecondStage(memory, meter, tlbs.nested, tlbs.nestedStructures, tlbs.subPages, m);
        effective = new EffectiveTypes(types, stage);
        walker = new Walker(memory, meter, rule, stage, tlbs.structures, updates);
        linear = new LinearWalk(memory, meter, rule, walker, tlbs.structures);
    }

    public FirstLevelTlb dataTlb() {
        return tlbs.data;
    }

    public FirstLevelTlb instructionTlb() {
        return tlbs.instruction;
    }

    /** Invalidations that name what they drop, whatever the current address space. */
    public Invalidations invalidations() {
        return named;
    }

    /** PAT and MTRRs. */
    public MemoryTypes memoryTypes() {
        return types;
    }

    /** Has {@code listener} told of each step; null for nobody. */
    public void listen(WalkListener listener) {
        meter.listen(listener);
    }

    /** The error code of the last page fault. */
    public int errorCode() {
        return errorCode;
    }

    /** Raw rights of the last translation that a walk found, or as far as it came: see {@link GuestRights}. */
    public long lastRights() {
        return mode == PagingMode.NONE ? GuestRights.UNPAGED : walker.rights;
    }

    /** The second dimension, which says why it refused. */
    public SecondStage stage() {
        return stage;
    }

    /** From the next {@link #load} on linear addresses are translated in one dimension. */
    public void useOneStage() {
        twoStages = false;
        rootKey = 0;
        linear.forget();
    }

    /** From the next {@link #load} on every access is one of CPL 3, whatever privilege the guest gives it. */
    public void deprivileged(boolean now) {
        deprivileged = now;
    }

    /** From the next {@link #load} on guest-physical addresses are translated by EPT. */
    public void useEpt(long eptp, boolean modeBasedExecute) {
        stage.loadEpt(formats.ept(eptp, modeBasedExecute), eptp, modeBasedExecute);
        useStage(eptp, 0);
    }

    /** From the next {@link #load} on guest-physical addresses are translated by {@code walker}, from {@code register} on. */
    public void useOwn(StageWalker walker, long register) {
        stage.loadOwn(walker, register);
        useStage(register, 0);
    }

    /**
     * From the next {@link #load} on guest-physical addresses are translated by nested paging, with tables of the host's paging mode
     * as these registers say (APM vol. 2, "Enabling Nested Paging").
     *
     * @param asid tags everything that is cached
     */
    public void useNpt(long ncr3, long hostCr0, long hostCr4, long hostEfer, int asid) {
        PagingMode host = PagingMode.of(hostCr0, hostCr4, hostEfer);
        stage.loadNpt(formats.of(host, hostCr4, false), tableOf(host, ncr3), (hostEfer & ControlBits.EFER_NXE) != 0);
        useStage(ncr3, asid);
    }

    /** From the next {@link #load} on linear addresses of IA-32e mode are walked by {@code by} first, from {@code table} on. After {@link #useEpt}. */
    public void useLinear(LinearWalker by, long table) {
        linear.load(by, table);
    }

    private void useStage(long root, int asid) {
        linear.forget();
        twoStages = true;
        stageRoot = root;
        stageAsid = asid;
        reserveContexts();
        tagStage();
    }

    private void tagStage() {
        rootKey = tlbs.contexts.root(stageRoot);
        physicalContext = tlbs.contexts.number(rootKey | Contexts.PHYSICAL | Contexts.vpid(stageAsid));
        stage.tag(physicalContext);
    }

    private void reserveContexts() {
        if (!tlbs.contexts.room(5)) {
            tlbs.reset();
            if (twoStages) {
                tagStage();
            }
        }
    }

    /**
     * Makes an address space the current one. Nothing cached is dropped; the allowed kinds of what is cached follow the new
     * registers.
     *
     * @param pdptes the PDPTE registers, used under PAE paging; null if PDPTEs are read in each walk
     * @param tag the current VPID or ASID; 0 outside of non-root operation and without "enable VPID"
     */
    public void load(long cr0, long cr3, long cr4, long efer, int pkru, int pkrs, Pdptes pdptes, int tag) {
        reserveContexts();
        mode = PagingMode.of(cr0, cr4, efer);
        longMode = mode.isLong();
        linearShift = 64 - mode.linearBits();
        vpid = tag;
        pcid = longMode && (cr4 & CR4_PCIDE) != 0 ? (int) (cr3 & ControlBits.CR3_PCID) : 0;
        Contexts contexts = tlbs.contexts;
        long key = Contexts.mode(mode) | rootKey | Contexts.vpid(vpid);
        boolean paged = mode != PagingMode.NONE;
        effective.load(paged, cr0);
        context = contexts.number(key | pcid);
        globalContext = paged && (cr4 & CR4_PGE) != 0 ? contexts.number(key | Contexts.GLOBAL) : -1;
        tlbs.use(context, globalContext);
        if (rule.load(mode, cr0, cr4, efer, pkru, pkrs, deprivileged)) {
            tlbs.recompute(rule);
        }
        if (paged) {
            boolean pae = mode == PagingMode.PAE;
            Format format = formats.of(mode, cr4, pdptes != null);
            long reserved = rule.noExecute() || mode == PagingMode.BITS_32 ? 0 : Paging.XD;
            walker.load(format, tableOf(mode, cr3), pae ? pdptes : null, context, reserved, true, twoStages);
            if (longMode && linear.isLoaded()) {
                linear.tag(context, contexts.number(key | pcid | Contexts.LINEAR_TABLES));
            }
        }
    }

    private long tableOf(PagingMode of, long cr3) {
        return of == PagingMode.BITS_32 ? cr3 & 0xffff_f000L : of == PagingMode.PAE ? cr3 & Pdptes.TABLE : cr3 & physicalLimit() - 4096;
    }

    /** Makes no address space the current one: first-level look-ups miss until the next {@link #load}. */
    public void unload() {
        stage.forgetOwn();
        linear.forget();
        tlbs.use(Contexts.NONE, -1);
    }

    /** The hpa of {@code gva} for {@code access}, or one of the negative answers. Outside IA-32e mode only bits 31:0 of it count. */
    public long translate(long gva, int access) {
        FirstLevelTlb first = Access.isFetch(access) ? tlbs.instruction : tlbs.data;
        long linear = gva;
        if (!longMode) {
            linear &= 0xffff_ffffL;
        } else if (gva << linearShift >> linearShift != gva) {
            return NOT_CANONICAL;
        }
        SecondLevelTlb second = tlbs.behind(first);
        int i = second.hitSmall(linear, context, globalContext, access);
        if (i < 0) {
            return translate(first, second, linear, access);
        }
        long hpa = hit(second.shared, linear, i, 12);
        // If it is a piece of a larger page, that has been noted for the sake of the entry here.
        first.small.insert(FirstLevelTlb.page(linear, 12), second.shared, i);
        return hpa;
    }

    private long translate(FirstLevelTlb first, SecondLevelTlb second, long linear, int access) {
        int other = globalContext < 0 ? context : globalContext;
        int i = second.find(linear, context, other);
        if (i >= 0) {
            TlbArray hit = second.hit;
            if (hit.allows(i, access)) {
                return fromSecond(first, hit, linear, i, PageTag.shift(hit.tag(i) >>> TlbArray.CONTEXT_BITS));
            }
            dropEntries(linear);
        } else {
            Tlbs.dropFirst(first, linear, context, other);
        }
        long hpa = mode == PagingMode.NONE ? unpaged(first, linear, access) : walk(first, linear, access);
        meter.settle();
        return hpa;
    }

    private long fromSecond(FirstLevelTlb first, TlbArray second, long gva, int i, int shift) {
        long hpa = hit(second, gva, i, shift);
        tlbs.fillFirst(first, gva, shift, Tlbs.context(second.tag(i)), second.frame(i), second.rights(i), second.allowed(i));
        return hpa;
    }

    private long hit(TlbArray second, long gva, int i, int shift) {
        secondLevelHits++;
        clock.charge(Work.STLB_HIT);
        long frame = second.frame(i);
        long hpa = frame | gva & (1L << shift) - 1;
        if (meter.listener != null) {
            meter.listener.served(WalkListener.Cache.SECOND_LEVEL_TLB, gva, (shift - 3) / 9, frame);
            tell(gva, hpa, shift, second.rights(i));
        }
        return hpa;
    }

    /**
     * A translation whose rights or dirty flag do not suffice is dropped before the walk, and found again in memory. The processor is
     * free to drop entries at any time, and software that has raised rights without an invalidation need not see a fault (SDM vol. 3,
     * "Optional Invalidation").
     */
    private void dropEntries(long gva) {
        tlbs.dropEntry(gva, context);
        if (globalContext >= 0) {
            tlbs.dropEntry(gva, globalContext);
        }
    }

    private long walk(FirstLevelTlb first, long gva, int access) {
        walks++;
        long before = references();
        aboutToFill();
        boolean both = longMode && linear.isLoaded();
        int result = both ? linear.walk(gva, access) : walker.walk(gva, access);
        if (both && linear.ended) {
            return fromLinear(first, gva, access, result, before);
        }
        if (result == Walker.REFUSED) {
            return refused(gva);
        }
        if (result != Walker.DONE) {
            errorCode = rule.errorCode(result, walker.rights, access);
            pageFault(gva);
            return PAGE_FAULT;
        }
        int shift = walker.shift;
        long rights = walker.rights | (long) shift << GuestRights.SIZE_SHIFT;
        long address = walker.page | gva & (1L << shift) - 1;
        if (twoStages) {
            address = stage.page(address, access, (rights & Paging.US) != 0);
            if (address < 0) {
                return refused(gva);
            }
            shift = Math.min(shift, stage.shift);
            rights |= stage.rights << GuestRights.STAGE_SHIFT;
        } else {
            rights |= GuestRights.ONE_STAGE;
        }
        // A page of 4 MiB is cached in two pieces.
        return found(first, gva, address, shift == 22 ? 21 : shift, contextOf(rights), rights, before);
    }

    /** The walk has ended in tables of a design, as {@code result} says. */
    private long fromLinear(FirstLevelTlb first, long gva, int access, int result, long before) {
        if (result != Walker.DONE) {
            errorCode = rule.errorCode(result, linear.rights, access);
            pageFault(gva);
            return OWED;
        }
        int shift = linear.shift;
        long rights = linear.rights | (long) shift << GuestRights.SIZE_SHIFT;
        return found(first, gva, linear.page | gva & (1L << shift) - 1, shift, contextOf(rights), rights, before);
    }

    /** A walk that began with {@code before} references has found {@code hpa}, on a page of 2^{@code shift} bytes. */
    private long found(FirstLevelTlb first, long gva, long hpa, int shift, int inContext, long rights, long before) {
        completedWalks++;
        completedReferences += references() - before;
        tlbs.fill(first, gva, shift, inContext, hpa & -1L << shift, rights, rule.usable(rights));
        if (meter.listener != null) {
            tell(gva, hpa, shift, rights);
        }
        return hpa;
    }

    private int contextOf(long rights) {
        return globalContext >= 0 && (rights & Paging.G) != 0 ? globalContext : context;
    }

    private long references() {
        return walker.references + linear.references + stage.references();
    }

    /** Without paging a linear address of 32 bits is the physical address (SDM vol. 3, "Paging Modes and Control Bits"). */
    private long unpaged(FirstLevelTlb first, long gpa, int access) {
        if (!twoStages) {
            // No translation: what is cached here only spares the engine the question.
            long rights = GuestRights.UNPAGED | GuestRights.ONE_STAGE | (long) UNPAGED_SHIFT << GuestRights.SIZE_SHIFT;
            tlbs.contexts.fill(context);
            tlbs.fillFirst(first, gpa, UNPAGED_SHIFT, context, gpa & -1L << UNPAGED_SHIFT, rights, rule.usable(rights));
            if (meter.listener != null) {
                tell(gpa, gpa, UNPAGED_SHIFT, rights);
            }
            return gpa;
        }
        walks++;
        aboutToFill();
        long before = references();
        long hpa = stage.page(gpa, access, true);
        if (hpa < 0) {
            return refused(gpa);
        }
        int shift = Math.min(UNPAGED_SHIFT, stage.shift);
        long rights = GuestRights.UNPAGED | stage.rights << GuestRights.STAGE_SHIFT | (long) shift << GuestRights.SIZE_SHIFT;
        return found(first, gpa, hpa, shift, context, rights, before);
    }

    private void tell(long gva, long hpa, int shift, long rights) {
        meter.listener.translated(gva, hpa, shift, effective.of(hpa, rights, twoStages));
    }

    /** A walk fills paging-structure caches and nested TLB by itself. */
    private void aboutToFill() {
        tlbs.contexts.fill(context);
        if (twoStages) {
            tlbs.contexts.fill(physicalContext);
        }
        if (longMode && linear.isLoaded()) {
            tlbs.contexts.fill(linear.context());
        }
    }

    /**
     * An EPT violation drops the guest-physical mappings used for the gpa and, if a linear address was translated to it, the
     * combined mappings for that (SDM vol. 3, "Operations that Invalidate Cached Mappings"). A misconfiguration, a full log or an SPP-related event drops
     * nothing. A nested page fault is taken to drop what an EPT violation does.
     */
    private long refused(long gva) {
        if (stage.reason == Walker.MALFORMED && stage.hasTypes() || stage.reason == Walker.LOG_FULL || stage.reason >= SubPages.MISS) {
            return REFUSED;
        }
        stage.drop(stage.refused);
        if (stage.finalAddress) {
            dropEntries(gva);
            tlbs.dropStructuresUsed(gva, Contexts.ROOT | PCID_MASK, rootKey | Contexts.vpid(vpid) | pcid);
        }
        return REFUSED;
    }

    /**
     * The hpa from which PDPTE registers are loaded for a table at {@code gpa}, an address of the guest while there are two
     * dimensions; −1 if the second one refuses, which counts as a read (SDM vol. 3, "Accessed and Dirty Flags for EPT").
     */
    public long pdpteTable(long gpa) {
        if (!twoStages) {
            return gpa;
        }
        tlbs.contexts.fill(physicalContext);
        long hpa = stage.pdptes(gpa);
        meter.settle();
        if (hpa < 0 && stage.reason != Walker.MALFORMED) {
            stage.drop(gpa);
        }
        return hpa;
    }

    /**
     * What a page fault drops: TLB entries for the address, all pieces of its page included, and paging-structure-cache entries
     * that would be used for it.
     */
    private void pageFault(long gva) {
        dropPage(gva);
        tlbs.dropStructuresUsed(gva, PCID_MASK, Contexts.vpid(vpid) | pcid);
    }

    /** The TLB entries for {@code gva} of the current PCID, and global ones, of the current VPID and every EPT root. */
    private void dropPage(long gva) {
        tlbs.dropPage(gva, PCID_MASK, Contexts.vpid(vpid) | pcid);
        tlbs.dropPage(gva, PCID_MASK, Contexts.vpid(vpid) | Contexts.GLOBAL);
    }

    /**
     * INVLPG: the page, globals too, and all paging-structure-cache entries of the current PCID. An address that is not canonical drops
     * nothing (SDM vol. 2, "INVLPG—Invalidate TLB Entries").
     */
    public void invlpg(long gva) {
        if (longMode && !mode.holds(gva)) {
            return;
        }
        dropPage(longMode ? gva : gva & 0xffff_ffffL);
        tlbs.dropStructures(PCID_MASK, Contexts.vpid(vpid) | pcid);
    }

    /** INVPCID type 0: what would be used for {@code gva} under {@code ofPcid}, but for global translations. */
    public void invpcidAddress(int ofPcid, long gva) {
        tlbs.dropPage(gva, PCID_MASK, Contexts.vpid(vpid) | ofPcid);
        tlbs.dropStructuresUsed(gva, PCID_MASK, Contexts.vpid(vpid) | ofPcid);
    }

    /** Everything of {@code ofPcid} but global translations: MOV to CR3 without bit 63, INVPCID type 1. */
    public void dropPcid(int ofPcid) {
        tlbs.dropContexts(PCID_MASK, Contexts.vpid(vpid) | ofPcid);
    }

    /** Everything of the current PCID, global translations too: CR4.SMEP set. */
    public void dropPcidAndGlobals() {
        dropPcid(pcid);
        tlbs.dropContexts(PCID_MASK, Contexts.vpid(vpid) | Contexts.GLOBAL);
    }

    /** Everything of the current VPID: CR0.PG cleared, CR4.PGE changed, INVPCID type 2 … */
    public void dropCurrentVpid() {
        named.dropVpid(vpid);
    }

    /** Everything of the current VPID but global translations: INVPCID type 3. */
    public void dropCurrentVpidButGlobals() {
        named.dropVpidButGlobals(vpid);
    }

    /** MAXPHYADDR. */
    public int physicalBits() {
        return maxPhysicalBits;
    }

    /** One more than the highest physical address that entries and CR3 may hold. */
    public long physicalLimit() {
        return 1L << maxPhysicalBits;
    }

    /** What was counted so far. */
    public TranslationStatistics statistics() {
        return new TranslationStatistics(
                secondLevelHits, walks, walker.references + linear.references, stage.references(), completedWalks, completedReferences);
    }
}
