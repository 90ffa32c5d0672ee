package org.penumbra.testkit.tlb;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.TableFormat;
import org.penumbra.testkit.reference.Walk;

/**
 * Judges translations and page faults of a machine against the set that the architecture allows at that moment.
 *
 * <p>First by a walk of the tables as they stand; where that disagrees, by a {@link WalkSearch} through what they have held. A
 * translation that was found current is remembered until the next event: nothing but accessed and dirty bits, which are only
 * ever set without a report, can change between two events, and the remembered walk needed none of them set.
 */
public final class AbstractTlb {
    /** The verdict on a translation or page fault. */
    public enum Verdict {
        /** The tables as they stand say the same. */
        CURRENT,
        /** Only older entries explain it, and the architecture still allows them. */
        STALE,
        /** Outside the allowed set. */
        WRONG
    }

    /** log2 of the verdicts remembered. */
    private static final int REMEMBERED_BITS = 14;
    /** Entries held, present and past, below which nothing is tidied up: some 25 MiB. */
    private static final long SWEEP_AT_LEAST = 1 << 20;

    private final WatchedTables tables;
    private final SecondStage stage;
    private final ReferenceWalker walker;
    private final WalkSearch search;
    private final AbstractVcpu[] vcpus;
    /** The tables of the guest's hypervisor in the walk that is going on, and whether they have refused it an entry. */
    private Tables12 tables12;
    private boolean refused;
    private final int physicalAddressBits;
    /** By root, those of guest hypervisors so far. */
    private final Map<TranslationRoot, Tables12> known = new HashMap<>();
    private final Walk walk = new Walk();
    private final LongUnaryOperator reader = this::read;

    /** By slot: page and access and vCPU, the gpa of the page, and the time of the verdict. */
    private final long[] seenKey = new long[1 << REMEMBERED_BITS];
    private final long[] seenGpa = new long[1 << REMEMBERED_BITS];
    private final long[] seenAt = new long[1 << REMEMBERED_BITS];
    private long sweepAt = SWEEP_AT_LEAST;

    /**
     * A TLB for each of {@code vcpus} vCPUs, with paging off.
     *
     * @param vcpus at most 256
     * @param physicalAddressBits the guest's MAXPHYADDR
     * @param gpaToHpa what the host means by the gpa of a page now, −1 for nothing
     */
    public AbstractTlb(int vcpus, int physicalAddressBits, PhysicalMemory memory, LongUnaryOperator gpaToHpa) {
        if (vcpus < 1 || vcpus > 256) {
            throw new IllegalArgumentException("an abstract TLB of " + vcpus + " vCPUs: 1 to 256 are possible");
        }
        walker = new ReferenceWalker(physicalAddressBits);
        tables = new WatchedTables(memory, gpaToHpa);
        this.physicalAddressBits = physicalAddressBits;
        stage = new SecondStage(tables);
        search = new WalkSearch(tables, stage, physicalAddressBits);
        this.vcpus = new AbstractVcpu[vcpus];
        for (int i = 0; i < vcpus; i++) {
            this.vcpus[i] = new AbstractVcpu(walker);
        }
        Arrays.fill(seenAt, -1);
    }

    /** The verdict on a use of the translation of {@code gva} to {@code hpa}. */
    public Verdict translated(int vcpu, long gva, int access, long hpa) {
        long key = (gva >>> 12) << 12 | (long) access << 8 | vcpu;
        int slot = (int) ((key ^ key >>> 12) * 0x9e37_79b9_7f4a_7c15L >>> 64 - REMEMBERED_BITS);
        if (seenKey[slot] == key && seenAt[slot] == tables.now() && tables.hpa(seenGpa[slot] | gva & 0xfff) == hpa) {
            return Verdict.CURRENT;
        }
        AbstractProcessor cpu = vcpus[vcpu].current();
        walk(cpu, gva, access);
        long gpa = walk.allowed() && walk.flagsSet(Access.isWrite(access)) ? stage.now(cpu.tables12, walk.gpa, Tables12.of(access)) : -1;
        if (gpa >= 0 && tables.hpa(gpa) == hpa) {
            seenKey[slot] = key;
            seenGpa[slot] = gpa & ~0xfffL;
            seenAt[slot] = tables.now();
            return Verdict.CURRENT;
        }
        return hpa >= 0 && search.translation(cpu, gva, access, hpa) ? Verdict.STALE : Verdict.WRONG;
    }

    /** The verdict on a page fault delivered to the guest; what it invalidates is gone afterwards. */
    public Verdict pageFault(int vcpu, long gva, int errorCode, boolean ac) {
        AbstractProcessor cpu = vcpus[vcpu].current();
        int access = accessOf(errorCode, ac);
        Verdict verdict = faultVerdict(cpu, gva, access, errorCode);
        if (verdict == Verdict.WRONG && (access & 3) == Access.READ) {
            // without SMEP and NXE a fetch is reported like a read
            verdict = faultVerdict(cpu, gva, Access.FETCH | access & Access.USER, errorCode);
        }
        cpu.pageFault(gva, walk.level, event());
        return verdict;
    }

    /** Software stored {@code bytes} bytes at {@code hpa}. */
    public void written(long hpa, int bytes) {
        tables.written(hpa, bytes);
        if (tables.entries() >= sweepAt) {
            sweep();
        }
    }

    /** The host has put guest frame {@code gfn} elsewhere, and flushed. */
    public void moved(long gfn) {
        tables.moved(gfn);
    }

    /** INVLPG retired. */
    public void invalidatedPage(int vcpu, long gva) {
        vcpus[vcpu].current().invalidatedPage(gva, leafLevel(vcpu, gva), event());
    }

    /**
     * INVPCID retired.
     *
     * @param type 0 individual address, 1 single context, 2 all contexts with global translations, 3 all contexts without them
     */
    public void invalidatedPcid(int vcpu, int type, int pcid, long gva) {
        vcpus[vcpu].current().invalidatedPcid(type, pcid, gva, leafLevel(vcpu, gva), event());
    }

    /** The registers that paging depends on are {@code state} now. */
    public void loaded(int vcpu, PagingState state, boolean keepPcid) {
        vcpus[vcpu].current().loaded(state, keepPcid, event());
    }

    /**
     * The vCPU has entered a guest of its guest, in {@code state}.
     *
     * @param tag VPID or ASID that its hypervisor gave it, 0 for none
     * @param root of its hypervisor's EPT or nested tables for it, null for none
     */
    public void entered(int vcpu, int tag, TranslationRoot root, PagingState state) {
        Tables12 tables = root == null ? null : known.computeIfAbsent(root, r -> Tables12.at(r, physicalAddressBits));
        vcpus[vcpu].enter(tag, tables, state, event());
    }

    /** The vCPU has left a guest of its guest, and goes on with that in {@code state}. */
    public void left(int vcpu, PagingState state) {
        vcpus[vcpu].leave(state, event());
    }

    /** INVEPT of the guest retired. */
    public void invalidatedEpt(int vcpu, boolean all, long eptp) {
        vcpus[vcpu].invalidatedEpt(all, eptp, event());
    }

    /** VMRUN of the guest flushes: everything, or what is cached under {@code asid}. */
    public void flushedAsid(int vcpu, boolean all, int asid) {
        vcpus[vcpu].flushedAsid(all, asid, event());
    }

    /** INVVPID of the guest retired. */
    public void invalidatedVpid(int vcpu, int type, int vpid, long gva) {
        vcpus[vcpu].invalidatedVpid(type, vpid, gva, event());
    }

    /** The processor has walked for {@code gva}, and not to the end: tables that it met from the top on are watched from now on. */
    public void walked(int vcpu, long gva) {
        walk(vcpus[vcpu].current(), gva, Access.READ);
    }

    /**
     * The verdict on a refusal, by its hypervisor's tables, that a guest's guest is reported to have at {@code ngpa}.
     *
     * @param code exit qualification of an EPT violation, −1 of an EPT misconfiguration; EXITINFO1 of a nested page fault
     */
    public Verdict stageRefused(int vcpu, long ngpa, long code) {
        AbstractProcessor cpu = vcpus[vcpu].current();
        Tables12 now = cpu.tables12;
        int access = now.access(code);
        int refusal = now.refusal(code);
        if (stage.refusesNow(now, ngpa, access, refusal)) {
            return Verdict.CURRENT;
        }
        boolean may = cpu.sharing(now).stream().anyMatch(t -> stage.mayRefuse(t, cpu.sinceTables(now), ngpa, access, refusal));
        return may ? Verdict.STALE : Verdict.WRONG;
    }

    /** One line on why {@link #stageRefused} answered WRONG; asked right after it. */
    public String stageComplaint(int vcpu, long ngpa, long code) {
        Tables12 now = vcpus[vcpu].current().tables12;
        return String.format("vCPU %d: access to ngpa 0x%x was reported as an %s; the tables say %s; no older entry explains it", vcpu, ngpa,
                now.describe(code), stage.describe(now, ngpa, now.access(code)));
    }

    /** One line on why {@link #translated} answered WRONG; asked right after it. */
    public String complaint(int vcpu, long gva, int access, long hpa) {
        AbstractProcessor cpu = vcpus[vcpu].current();
        walk(cpu, gva, access);
        boolean inTables = refused;
        String nested = cpu.tables12 == null ? "" : "; its hypervisor's: " + (walk.allowed()
                ? stage.describe(cpu.tables12, walk.gpa, Tables12.of(access))
                : stage.describe(cpu.tables12, inTables ? walk.entryGpa(walk.lowest) : 0, Tables12.ofTable(cpu.tables12)));
        String older = search.anyTime(cpu, gva, access, hpa);
        return String.format("vCPU %d: %s of gva 0x%x used hpa 0x%x; the tables say %s; %s", vcpu, Access.describe(access), gva, hpa,
                tablesSay(cpu, access) + nested, older == null ? "no older entry leads there" : "there leads only " + older);
    }

    /** One line on why {@link #pageFault} answered WRONG; asked right after it. */
    public String faultComplaint(int vcpu, long gva, int errorCode, boolean ac) {
        int access = accessOf(errorCode, ac);
        walk(vcpus[vcpu].current(), gva, access);
        return String.format("vCPU %d: %s of gva 0x%x got #PF(%s); the tables say %s; no older entry explains it",
                vcpu, Access.describe(access), gva, PageFaultError.describe(errorCode), tablesSay(vcpus[vcpu].current(), access));
    }

    /** Older entry values held, for the bound on memory. */
    int olderValues() {
        return tables.olderValues();
    }

    /** Tables watched, for the bound on memory. */
    int watchedTables() {
        return tables.size();
    }

    private void walk(AbstractProcessor cpu, long gva, int access) {
        tables12 = cpu.tables12;
        refused = false;
        walker.walk(cpu.state, gva, access, reader, walk);
    }

    private int leafLevel(int vcpu, long gva) {
        walk(vcpus[vcpu].current(), gva, Access.READ);
        return walk.level;
    }

    /** The 8 bytes at {@code address}, which hold the next entry of {@link #walk}; where EPT refuses them, what ends the walk. */
    private long read(long address) {
        long gpa = stage.now(tables12, address, Tables12.ofTable(tables12));
        if (gpa < 0) {
            refused = true;
            return 0;
        }
        EntryKind kind = EntryKind.of(walk.format);
        int level = walk.lowest - 1;
        long low = tables.read(gpa, level, kind);
        return kind.bytes == 8 ? low : low | tables.read(gpa + 4, level, kind) << 32;
    }

    private Verdict faultVerdict(AbstractProcessor cpu, long gva, int access, int errorCode) {
        walk(cpu, gva, access);
        if (walk.outcome == errorCode && !refused) {
            return Verdict.CURRENT;
        }
        return search.fault(cpu, gva, access, errorCode) ? Verdict.STALE : Verdict.WRONG;
    }

    private static int accessOf(int errorCode, boolean ac) {
        boolean write = (errorCode & PageFaultError.WRITE) != 0;
        boolean fetch = (errorCode & PageFaultError.FETCH) != 0;
        boolean user = (errorCode & PageFaultError.USER) != 0;
        int operation = write ? Access.WRITE : fetch ? Access.FETCH : Access.READ;
        return operation | (user ? Access.USER : 0) | (ac && !user && !fetch ? Access.AC : 0);
    }

    private String tablesSay(AbstractProcessor cpu, int access) {
        StringBuilder s = new StringBuilder();
        if (refused) {
            s.append("the tables of its hypervisor refuse an entry, or a flag is not set in them");
        } else if (walk.allowed() && cpu.tables12 != null) {
            s.append(String.format("ngpa 0x%x", walk.gpa));
        } else if (walk.allowed()) {
            s.append(String.format("gpa 0x%x at hpa 0x%x", walk.gpa, tables.hpa(walk.gpa)));
            s.append(walk.flagsSet(Access.isWrite(access)) ? "" : " but accessed or dirty bits are not set");
        } else {
            s.append("#PF(").append(PageFaultError.describe(walk.outcome)).append(')');
        }
        for (int l = walk.top; l >= walk.lowest; l--) {
            s.append(String.format("%s%s 0x%x", l == walk.top ? " by " : ", ", TableFormat.name(l), walk.entry(l)));
        }
        return s.toString();
    }

    private long event() {
        if (held() >= sweepAt) {
            sweep();
        }
        return tables.tick();
    }

    private long held() {
        long n = tables.entries();
        for (AbstractVcpu vcpu : vcpus) {
            n += vcpu.pages();
        }
        return n;
    }

    /** Forgets what no processor can have cached any more. */
    void sweep() {
        long local = Long.MAX_VALUE;
        long global = Long.MAX_VALUE;
        long second = Long.MAX_VALUE;
        for (AbstractVcpu vcpu : vcpus) {
            for (AbstractProcessor cpu : vcpu.processors()) {
                long own = cpu.oldest();
                local = Math.min(local, own);
                global = Math.min(global, cpu.globals() ? cpu.times.sinceAll() : own);
                second = Math.min(second, cpu.oldestByTables());
            }
        }
        tables.forget(local, global, second);
        Reachability reachable = new Reachability(tables, stage);
        for (AbstractVcpu vcpu : vcpus) {
            vcpu.processors().forEach(reachable::mark);
        }
        long earliest = tables.drop();
        for (AbstractVcpu vcpu : vcpus) {
            vcpu.processors().forEach(cpu -> cpu.times.forget(earliest));
        }
        sweepAt = Math.max(SWEEP_AT_LEAST, 2 * held());
    }
}
