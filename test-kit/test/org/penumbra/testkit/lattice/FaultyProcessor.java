package org.penumbra.testkit.lattice;

import java.util.Map;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.testkit.fixture.FlatProfile;
import org.penumbra.testkit.fixture.StepProcessor;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.TableFormat;
import org.penumbra.testkit.reference.Walk;

/** A processor that does what the specification says, but for one {@link Fault}. Guest memory is physical memory. */
final class FaultyProcessor extends StepProcessor {
    /** What a processor, or a design, can get wrong. */
    enum Fault {
        NONE, IGNORES_SMAP, IGNORES_SMEP, IGNORES_WP, IGNORES_XD, IGNORES_KEYS, IGNORES_RESERVED_BITS, FORGETS_DIRTY, DIRTY_ON_READ,
        FORGETS_ACCESSED_ABOVE, DIRTY_ON_FAULT, FORGETS_USER_BIT_IN_ERROR_CODE, FORGETS_FETCH_BIT_IN_ERROR_CODE, PRESENT_BIT_ON_ABSENT,
        WRONG_CR2, FORGETS_INVLPG, KEEPS_RIGHTS_OF_OLD_REGISTERS, READS_PDPTES_FROM_MEMORY, LOADS_RESERVED_PDPTES, NEXT_PAGE,
        ACCEPTS_NON_CANONICAL, CLOBBERS_NEIGHBOUR
    }

    static final int MAXPHYADDR = 46;
    private static final int LONG_BITS = 64;

    private final Fault fault;
    private final PhysicalMemory memory;
    private final RegisterFile registers = new RegisterFile();
    private final ReferenceWalker walker = new ReferenceWalker(MAXPHYADDR);
    private final Walk walk = new Walk();
    private final Walk probe = new Walk();
    private final FirstLevelTlb data = new FirstLevelTlb(new TlbArray(64, 4), new TlbArray(4, 4), null);
    private final FirstLevelTlb code = new FirstLevelTlb(new TlbArray(64, 4), new TlbArray(4, 4), null);
    private final CycleClock cycles = new CycleClock(new FlatProfile(Map.of()));
    private final GuestClock time = new GuestClock();
    private final InterruptLine line = new InterruptLine();
    private final GuestException exception = new GuestException();

    FaultyProcessor(Fault fault, PhysicalMemory memory) {
        this.fault = fault;
        this.memory = memory;
    }

    @Override
    public long translate(long gva, int access) {
        PagingState state = state();
        PagingMode mode = state.mode();
        int unused = LONG_BITS - mode.linearBits();
        if (mode.isLong() && gva << unused >> unused != gva && fault != Fault.ACCEPTS_NON_CANONICAL) {
            exception.set(GuestException.GP, 0, 0);
            return FAULT;
        }
        drop(Access.isFetch(access) ? code : data, gva);
        int outcome = walker.walk(state, gva, access, this::load, walk);
        if (outcome != AccessRights.ALLOWED) {
            if (fault == Fault.DIRTY_ON_FAULT && walk.level != 0) {
                store(walk.level, walk.entry(walk.level) | EntryBits.D);
            }
            drop(data, gva);
            drop(code, gva);
            exception.set(GuestException.PF, errorCode(outcome), fault == Fault.WRONG_CR2 ? gva & ~0xfffL : gva);
            return FAULT;
        }
        long gpa = walk.gpa + (fault == Fault.NEXT_PAGE && walk.level == 1 && (walk.entry(1) & EntryBits.G) != 0 ? 0x1000 : 0);
        if (walk.top > 0) {
            setFlags(access);
            fill(Access.isFetch(access) ? code : data, state, gva, gpa);
        }
        return gpa;
    }

    /** The registers by which rights are decided. */
    private PagingState state() {
        PagingState s = registers.paging;
        switch (fault) {
            case IGNORES_SMAP:
                return s.withCr4(s.cr4() & ~ControlBits.CR4_SMAP);
            case IGNORES_SMEP:
                return s.withCr4(s.cr4() & ~ControlBits.CR4_SMEP);
            case IGNORES_WP:
                return s.withCr0(s.cr0() | ControlBits.CR0_WP);
            case IGNORES_KEYS:
                return s.withPkru(0);
            case READS_PDPTES_FROM_MEMORY:
                return s.mode() == PagingMode.PAE ? s.withPdptes(pdptes(s.root())) : s;
            default:
                return s;
        }
    }

    /** An entry without the bits that the fault is blind for. */
    private long load(long gpa) {
        long word = memory.load64(gpa);
        if (fault == Fault.IGNORES_XD) {
            return word & ~EntryBits.XD;
        }
        return fault == Fault.IGNORES_RESERVED_BITS && registers.paging.mode().isLong() ? word & ~(1L << 51) : word;
    }

    private int errorCode(int code) {
        switch (fault) {
            case FORGETS_USER_BIT_IN_ERROR_CODE:
                return code & ~PageFaultError.USER;
            case FORGETS_FETCH_BIT_IN_ERROR_CODE:
                return code & ~PageFaultError.FETCH;
            case PRESENT_BIT_ON_ABSENT:
                return code | PageFaultError.PRESENT;
            default:
                return code;
        }
    }

    private void setFlags(int access) {
        boolean write = Access.isWrite(access) && fault != Fault.FORGETS_DIRTY || fault == Fault.DIRTY_ON_READ;
        int top = fault == Fault.FORGETS_ACCESSED_ABOVE ? 1 : walk.top;
        for (int l = walk.lowest; l <= top; l++) {
            if (walk.entry(l) != walk.entryAfter(l, write)) {
                // What the walk read may lack bits that the fault is blind for.
                store(l, memory.load(walk.entryGpa(l), walk.format.entryBytes()) | walk.entryAfter(l, write) & (EntryBits.A | EntryBits.D));
            }
        }
        if (fault == Fault.CLOBBERS_NEIGHBOUR && walk.level == 2) {
            memory.store(walk.entryGpa(2) + walk.format.entryBytes(), walk.format.entryBytes(), 0x20);
        }
    }

    private void store(int level, long entry) {
        memory.store(walk.entryGpa(level), walk.format.entryBytes(), entry);
    }

    /** Caches the 4 KiB around {@code gva} with the kinds of access that need no walk. */
    private void fill(FirstLevelTlb tlb, PagingState state, long gva, long gpa) {
        int allowed = 0;
        for (int access = 0; access < Access.KINDS; access++) {
            boolean kind = (access & 3) < 3 && (access & (Access.USER | Access.AC)) != (Access.USER | Access.AC);
            if (kind && walker.walk(state, gva, access, this::load, probe) == AccessRights.ALLOWED
                    && (!Access.isWrite(access) || (probe.entry(probe.level) & EntryBits.D) != 0)) {
                allowed |= 1 << access;
            }
        }
        tlb.small.insert(FirstLevelTlb.page(gva, 12), tlb.context, gpa & ~0xfffL, 0, allowed);
    }

    private static void drop(FirstLevelTlb tlb, long gva) {
        int i = tlb.small.find(FirstLevelTlb.page(gva, 12), tlb.context);
        if (i >= 0) {
            tlb.small.drop(i);
        }
    }

    private void flush() {
        data.small.clear();
        code.small.clear();
    }

    private Pdptes pdptes(long at) {
        return new Pdptes(memory.load64(at), memory.load64(at + 8), memory.load64(at + 16), memory.load64(at + 24));
    }

    @Override
    public int movToCr3(long value) {
        PagingState next = registers.paging.withCr3(value);
        if (next.mode() == PagingMode.PAE) {
            Pdptes loaded = pdptes(next.root());
            if (fault != Fault.LOADS_RESERVED_PDPTES) {
                for (int i = 0; i < 4; i++) {
                    if ((loaded.get(i) & 1) != 0 && (loaded.get(i) & TableFormat.PAE_IN_MEMORY.reserved(3, false, MAXPHYADDR, true)) != 0) {
                        exception.set(GuestException.GP, 0, 0);
                        return Outcome.FAULT;
                    }
                }
            }
            next = next.withPdptes(loaded);
        }
        registers.paging = next;
        flush();
        return Outcome.DONE;
    }

    private int load(PagingState next) {
        registers.paging = next;
        if (fault != Fault.KEEPS_RIGHTS_OF_OLD_REGISTERS) {
            flush();
        }
        return Outcome.DONE;
    }

    @Override
    public int movToCr0(long value) {
        return load(registers.paging.withCr0(value));
    }

    @Override
    public int movToCr4(long value) {
        return load(registers.paging.withCr4(value));
    }

    @Override
    public int wrpkru(int value) {
        return load(registers.paging.withPkru(value));
    }

    @Override
    public int wrmsr(int msr, long value) {
        return load(msr == Msr.IA32_PKRS ? registers.paging.withPkrs((int) value) : registers.paging.withEfer(value));
    }

    @Override
    public int invlpg(long gva) {
        if (fault != Fault.FORGETS_INVLPG) {
            drop(data, gva);
            drop(code, gva);
        }
        return Outcome.DONE;
    }

    @Override
    public RegisterFile registers() {
        return registers;
    }

    @Override
    public FirstLevelTlb dataTlb() {
        return data;
    }

    @Override
    public FirstLevelTlb instructionTlb() {
        return code;
    }

    @Override
    public PhysicalMemory memory() {
        return memory;
    }

    @Override
    public CycleClock cycles() {
        return cycles;
    }

    @Override
    public GuestClock guestTime() {
        return time;
    }

    @Override
    public TranslationObserver observer() {
        return null;
    }

    @Override
    public InterruptLine interruptLine() {
        return line;
    }

    @Override
    public int interrupted() {
        return Outcome.DONE;
    }

    @Override
    public GuestException exception() {
        return exception;
    }

    @Override
    public GuestException takeInjectedEvent() {
        return null;
    }

    @Override
    public int invpcid(int type, long pcid, long gva) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int changePrivilege(int cpl, long rflags) {
        registers().cpl = cpl;
        registers().rflags = rflags;
        return Outcome.DONE;
    }

    @Override
    public int hlt() {
        throw new UnsupportedOperationException();
    }

    @Override
    public int out(int port, int width, long value) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int vmcall() {
        throw new UnsupportedOperationException();
    }

    @Override
    public ExitRecord exit() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void listen(WalkListener listener) {
        throw new UnsupportedOperationException();
    }

    @Override
    public TranslationStatistics statistics() {
        return TranslationStatistics.NONE;
    }
}
