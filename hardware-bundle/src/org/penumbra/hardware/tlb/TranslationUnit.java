package org.penumbra.hardware.tlb;

import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR4_LA57;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PCIDE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.EFER_LMA;

import java.util.function.LongConsumer;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.hardware.walk.Ept;
import org.penumbra.hardware.walk.EptStage;
import org.penumbra.hardware.walk.Format;
import org.penumbra.hardware.walk.GuestRights;
import org.penumbra.hardware.walk.Ia32e;
import org.penumbra.hardware.walk.PageTag;
import org.penumbra.hardware.walk.Walker;

/**
 * Address translation of one logical processor: second-level TLB, paging-structure caches, walk, fills, and the invalidations by
 * the names the SDM gives their causes. It knows no privileged operation and no exit: it answers with an address, a page fault
 * or a refusal of EPT, and its owner makes of that what the mode of operation asks for. One thread; translation allocates
 * nothing.
 */
public final class TranslationUnit {
    /** No translation: #PF with {@link #errorCode}. TLB and paging-structure-cache entries for the address are gone. */
    public static final long PAGE_FAULT = -1;
    /** EPT refused: see {@link #ept}. */
    public static final long EPT_REFUSED = -2;
    /** The address is not canonical. */
    public static final long NOT_CANONICAL = -3;

    private static final long PCID_MASK = Contexts.VPID | Contexts.PHYSICAL | Contexts.GLOBAL | Contexts.PCID;

    private final Tlbs tlbs;
    private final CycleClock clock;
    private final GuestRights rule = new GuestRights();
    private final Walker walker;
    private final EptStage stage;
    private final long maxPhysical;

    private boolean paged;
    private boolean throughEpt;
    private int vpid;
    private int pcid;
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
        maxPhysical = 1L << m;
        Format format = Ia32e.fourLevel(m);
        Format ept = Ept.fourLevel(m);
        tlbs = new Tlbs(profile, format, ept);
        stage = new EptStage(ept, memory, clock, tlbs.nested, tlbs.eptStructures);
        walker = new Walker(format, memory, clock, rule, stage, tlbs.structures, updates);
    }

    public FirstLevelTlb dataTlb() {
        return tlbs.data;
    }

    public FirstLevelTlb instructionTlb() {
        return tlbs.instruction;
    }

    /** The error code of the last page fault. */
    public int errorCode() {
        return errorCode;
    }

    /** The second dimension, which says why it refused. */
    public EptStage ept() {
        return stage;
    }

    /**
     * Makes an address space the current one. Nothing cached is dropped; the allowed kinds of what is cached follow the new
     * registers.
     *
     * @param newVpid the current VPID; 0000H outside VMX operation and without "enable VPID"
     * @param useEpt translate through EPT by {@code eptp}
     * @throws IllegalStateException for a paging mode that is not modelled yet
     */
    public void load(long cr0, long cr3, long cr4, long efer, int pkru, int pkrs, int newVpid, boolean useEpt, long eptp) {
        requireModelled(cr0, cr4, efer);
        if (!tlbs.contexts.room(3)) {
            tlbs.reset();
        }
        paged = (cr0 & CR0_PG) != 0;
        throughEpt = useEpt;
        vpid = newVpid;
        pcid = (cr4 & CR4_PCIDE) != 0 ? (int) (cr3 & ControlBits.CR3_PCID) : 0;
        Contexts contexts = tlbs.contexts;
        rootKey = useEpt ? contexts.root(eptp) : 0;
        context = contexts.number(rootKey | Contexts.vpid(vpid) | pcid);
        globalContext = (cr4 & CR4_PGE) != 0 ? contexts.number(rootKey | Contexts.vpid(vpid) | Contexts.GLOBAL) : -1;
        tlbs.use(context, globalContext);
        if (useEpt) {
            physicalContext = contexts.number(rootKey | Contexts.PHYSICAL);
            stage.load(eptp, physicalContext);
        }
        if (rule.load(cr0, cr4, efer, pkru, pkrs)) {
            tlbs.recompute(rule);
        }
        walker.load(cr3, context, rule.noExecute() ? 0 : Ia32e.XD, true, useEpt);
    }

    /** Makes no address space the current one: first-level look-ups miss until the next {@link #load}. */
    public void unload() {
        tlbs.use(Contexts.NONE, -1);
    }

    private static void requireModelled(long cr0, long cr4, long efer) {
        if ((cr0 & CR0_PG) == 0) {
            return;
        }
        String mode = (cr4 & CR4_PAE) == 0 ? "32-bit paging (CR4.PAE = 0)"
                : (efer & EFER_LMA) == 0 ? "PAE paging (EFER.LMA = 0)"
                : (cr4 & CR4_LA57) != 0 ? "5-level paging (CR4.LA57 = 1)" : null;
        if (mode != null) {
            throw new IllegalStateException(mode + " is not modelled yet: 4-level paging, or none, is needed");
        }
    }

    /** The hpa of {@code gva} for {@code access}, or one of the negative answers. */
    public long translate(long gva, int access) {
        FirstLevelTlb first = Access.isFetch(access) ? tlbs.instruction : tlbs.data;
        if (!paged) {
            return unpaged(gva, access);
        }
        if (gva << 64 - Ia32e.LINEAR_BITS >> 64 - Ia32e.LINEAR_BITS != gva) {
            return NOT_CANONICAL;
        }
        long hpa = fromSecond(first, gva, access, context);
        if (hpa < 0 && globalContext >= 0) {
            hpa = fromSecond(first, gva, access, globalContext);
        }
        return hpa >= 0 ? hpa : walk(first, gva, access);
    }

    private long fromSecond(FirstLevelTlb first, long gva, int access, int ctx) {
        int i = tlbs.findSecond(gva, ctx);
        if (i < 0 || (tlbs.second.allowed[i] >>> access & 1) == 0) {
            return -1;
        }
        secondLevelHits++;
        clock.charge(Work.STLB_HIT);
        int shift = PageTag.shift(tlbs.second.tag[i] >>> 16);
        long frame = tlbs.second.frame[i];
        tlbs.fillFirst(first, gva, shift, ctx, frame, tlbs.second.rights[i], tlbs.second.allowed[i]);
        return frame | gva & (1L << shift) - 1;
    }

    /**
     * A translation whose rights or dirty flag do not suffice is dropped first and found again in memory. The processor is free
     * to drop entries at any time, and software that has raised rights without an invalidation need not see a fault (SDM vol. 3,
     * "Optional Invalidation").
     */
    private long walk(FirstLevelTlb first, long gva, int access) {
        tlbs.dropEntry(gva, context);
        if (globalContext >= 0) {
            tlbs.dropEntry(gva, globalContext);
        }
        walks++;
        long before = walker.references + stage.references();
        aboutToFill();
        int result = walker.walk(gva, access);
        if (result == Walker.REFUSED) {
            return eptRefused(gva);
        }
        if (result != Walker.DONE) {
            errorCode = rule.errorCode(result, walker.rights, access);
            pageFault(gva);
            return PAGE_FAULT;
        }
        int shift = walker.shift;
        long rights = walker.rights | (long) shift << GuestRights.SIZE_SHIFT;
        long address = walker.page | gva & (1L << shift) - 1;
        if (throughEpt) {
            address = stage.page(address, access);
            if (address < 0) {
                return eptRefused(gva);
            }
            shift = Math.min(shift, stage.shift);
            rights |= stage.rights << GuestRights.EPT_SHIFT;
        } else {
            rights |= GuestRights.NO_EPT;
        }
        completedWalks++;
        completedReferences += walker.references + stage.references() - before;
        boolean global = globalContext >= 0 && (rights & Ia32e.G) != 0;
        tlbs.fill(first, gva, shift, global ? globalContext : context, address & -1L << shift, rights, rule.usable(rights));
        return address;
    }

    /** Without paging a linear address of 32 bits is the physical address (SDM vol. 3, "Paging Modes and Control Bits"). */
    private long unpaged(long gva, int access) {
        long gpa = gva & 0xffff_ffffL;
        if (!throughEpt) {
            return gpa;
        }
        walks++;
        aboutToFill();
        long before = stage.references();
        long hpa = stage.page(gpa, access);
        if (hpa < 0) {
            return eptRefused(gva);
        }
        completedWalks++;
        completedReferences += stage.references() - before;
        return hpa;
    }

    /** A walk fills paging-structure caches and nested TLB by itself. */
    private void aboutToFill() {
        tlbs.contexts.fill(context);
        if (throughEpt) {
            tlbs.contexts.fill(physicalContext);
        }
    }

    /**
     * An EPT violation drops the guest-physical mappings used for the gpa and, if a linear address was translated to it, the
     * combined mappings for that (SDM vol. 3, "Operations that Invalidate Cached Mappings"): those in the TLB went before the
     * walk. A misconfiguration drops nothing.
     */
    private long eptRefused(long gva) {
        if (stage.reason != ExitReason.EPT_VIOLATION) {
            return EPT_REFUSED;
        }
        stage.drop(stage.refused);
        if ((stage.qualification & EptViolation.FINAL_ACCESS) == 0) {
            return EPT_REFUSED;
        }
        tlbs.dropStructuresUsed(gva, Contexts.ROOT | PCID_MASK, rootKey | Contexts.vpid(vpid) | pcid);
        return EPT_REFUSED;
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

    /** INVLPG: the page, globals too, and all paging-structure-cache entries of the current PCID. */
    public void invlpg(long gva) {
        dropPage(gva);
        tlbs.dropStructures(PCID_MASK, Contexts.vpid(vpid) | pcid);
    }

    /** Everything of the current PCID but global translations: MOV to CR3 without bit 63. */
    public void dropPcid() {
        tlbs.dropContexts(PCID_MASK, Contexts.vpid(vpid) | pcid);
    }

    /** Everything of the current PCID, global translations too: CR4.SMEP set. */
    public void dropPcidAndGlobals() {
        dropPcid();
        tlbs.dropContexts(PCID_MASK, Contexts.vpid(vpid) | Contexts.GLOBAL);
    }

    /** Everything of the current VPID: CR0.PG cleared, CR4.PGE changed … */
    public void dropCurrentVpid() {
        dropVpid(vpid);
    }

    /** Linear and combined mappings of {@code ofVpid}: all PCIDs, globals, all EPT roots. INVVPID type 1. */
    public void dropVpid(int ofVpid) {
        tlbs.dropContexts(Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
    }

    /** Linear and combined mappings of {@code ofVpid} that would be used for {@code gva}: all PCIDs, globals. INVVPID type 0. */
    public void dropAddress(int ofVpid, long gva) {
        tlbs.dropPage(gva, Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
        tlbs.dropStructuresUsed(gva, Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
    }

    /** Guest-physical and combined mappings of the root in {@code eptp}, for all VPIDs and PCIDs. INVEPT type 1. */
    public void dropEptRoot(long eptp) {
        long root = tlbs.contexts.knownRoot(eptp);
        if (root != 0) {
            tlbs.dropContexts(Contexts.ROOT, root);
        }
    }

    /** One more than the highest physical address that entries and CR3 may hold. */
    public long physicalLimit() {
        return maxPhysical;
    }

    /** What was counted so far. */
    public TranslationStatistics statistics() {
        return new TranslationStatistics(
                secondLevelHits, walks, walker.references, stage.references(), completedWalks, completedReferences);
    }
}
