package org.penumbra.vmx;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.function.Supplier;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.LocalApic;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.PhysicalAddressException;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.vmx.apic.ApicRegisters;
import org.penumbra.vmx.memory.IsolationAudit;
import org.penumbra.vmx.memory.Fence;

/**
 * One virtual processor: architectural state, VMCS, and the loop of entries and exits. Everything runs on the thread that runs the
 * vCPU, or while that is parked, except {@link #requestFlush}, {@link #kick} and what reads figures.
 *
 * <p>One class although it is long: half of it is what {@link Vcpu} offers to handlers, each in a line or two, on the state of the loop;
 * how a guest is entered is {@link GuestModes}, what its exits come to {@link ExitPath}, what is delivered to it {@link Events}, what is dropped of its
 * translations {@link Flushes}, a guest that is a hypervisor {@link NestedVmx} or {@link NestedSvm}.
 */
final class VirtualCpu implements Vcpu {
    /** Why {@link #run} came back. */
    enum Stop { DONE, PARK, HALTED, FINISHED }

    /** Above the VPIDs of guests, and below the ASIDs. */
    private static final int FIRST_NESTED_VPID = 0x4000;

    final ExitTable exits = new ExitTable();
    private final VirtualMachine machine;
    private final int id;
    private final RegisterFile registers;
    private final VmxProcessor processor;
    private final MemoryPort port;
    /** What runs: the guest, or a guest of it. */
    private GuestState guest;
    private final InterruptLine line;
    private final Vmcs vmcs01 = new Vmcs();
    /** Of the guests of the guest. */
    private final Vmcs vmcs02 = new Vmcs();
    /** Of what runs. */
    private Vmcs vmcs = vmcs01;
    private final NestedVmx nestedVmx;
    private final NestedSvm nestedSvm;
    private final GuestHypervisor byVmx;
    private final GuestHypervisor bySvm;
    private final GuestModes modes;
    private final Events events;
    private final Flushes flushes;
    private final ExitPath exitPath;
    private final GuestMemory guestMemory;
    private final Tracing.Tracer tracer;
    private final ApicRegisters apic;
    private final Emulator emulator;
    private final Cr3Targets targets;
    private final ModificationLog modificationLog;
    private boolean usesModificationLog;
    private final Supplier<Boolean> handling = this::handled;
    private final Supplier<Boolean> draining = this::drained;
    private final Counter emulations;
    private ExecutionEngine engine;
    private Attachment attachment;
    private GuardedContext mmu;
    private ControlDemand demand;
    private TranslationRoot programmed;
    private long target;
    private volatile boolean finished;
    private volatile boolean halted;
    /** The processor is in non-root operation, be the engine running or not. */
    private volatile boolean inGuest;
    /** The engine runs: what this vCPU has cached may be in use. KVM: IN_GUEST_MODE. */
    private volatile boolean executing;
    /** Counts entries into and exits from {@link #executing}. */
    private volatile long turns;
    private volatile boolean flushRequested;
    private volatile boolean inTurn;
    /** The turn is to end although its share is not used up. */
    private volatile boolean cutShort;

    VirtualCpu(VirtualMachine machine, int id, RegisterFile registers, HostProcessor processor, GuestState guest, CostProfile profile) {
        this.machine = machine;
        this.id = id;
        this.registers = registers;
        this.processor = processor;
        this.port = new MemoryPort(processor, id);
        this.guest = guest;
        this.line = processor.interruptLine();
        this.guestMemory = machine.memory.view(processor.cycles(), new Fence());
        this.tracer = machine.tracing().tracer(id, processor.cycles()::total, processor.guestTime()::retired);
        this.apic = new ApicRegisters(id, machine.interrupts, machine::timeline, machine.physicalAddressBits());
        this.emulator = new Emulator(machine, this);
        this.targets = new Cr3Targets(vmcs01, emulator::put);
        this.nestedVmx = new NestedVmx(this, machine.config.shadowVmcs());
        this.byVmx = new Reflection(this, nestedVmx);
        this.nestedSvm = new NestedSvm(this);
        this.modificationLog = new ModificationLog(machine.memory, vmcs01, processor.cycles());
        this.emulations = machine.counters.counter("insn_emulation");
        // VPID 0 stands for "no VPID", so vCPU 0 has VPID 1.
        vmcs01.vpid = id + 1;
        vmcs02.vpid = FIRST_NESTED_VPID + id;
        modes = new GuestModes(processor, id);
        bySvm = new SvmReflection(this, nestedSvm, modes.svm().vmcb02());
        events = new Events(this, nestedSvm);
        flushes = new Flushes(this, modes, vmcs01.vpid, vmcs02.vpid, nestedVmx.run(), machine.checker());
        exitPath = new ExitPath(machine, this, modes, modificationLog, profile);
        for (Vmcs v : List.of(vmcs01, vmcs02)) {
            v.hltExiting = true;
            v.ioExiting = true;
        }
    }

    /** What {@code fence} lets the context of an MMU do to this vCPU. */
    MmuContextHost contextHost(Fence fence) {
        return new ContextServices(this, fence);
    }

    /** Has {@code next} go on with the guest. In root operation only. */
    void attach(ExecutionEngine next) {
        engine = next;
        engine.attach(processor, port, id);
    }

    /** No engine runs the guest any more. */
    void detachEngine() {
        engine = null;
    }

    /**
     * Attaches the MMU's context, programs the controls that it demands, and loads the guest's paging state into it. In root
     * operation only.
     */
    void attach(Attachment next) {
        attachment = next;
        demand = next.demand();
        usesModificationLog = next.mmu().usesModificationLog();
        control(vmcs01);
        chooseContext();
        loadPaging(registers.paging, false);
    }

    private void control(Vmcs v) {
        v.exceptionBitmap = demand.interceptPageFaults() ? 1 << GuestException.PF : 0;
        v.cr3LoadExiting = demand.interceptCr3Loads();
        // What is in CR3 then is not what the guest wrote.
        v.cr3StoreExiting = demand.interceptCr3Loads();
        v.invlpgExiting = demand.interceptInvlpg();
        // What is really another value than the guest's cannot be the guest's to write.
        v.cr0Mask = demand.ownedCr0() | demand.forcedCr0();
        v.cr4Mask = demand.ownedCr4() | demand.forcedCr4() | demand.hiddenCr4();
    }

    /** The guest as a hypervisor, by the extension that it runs a guest with, if it runs one. */
    GuestHypervisor nested() {
        return bySvm.running() ? bySvm : byVmx;
    }

    /** The tables of its hypervisor by which a guest of the guest runs; null if none does, or without such. */
    private TranslationRoot tables12() {
        return nested().running() ? nested().tables12() : null;
    }

    /** The context and the controls for what runs. */
    private void chooseContext() {
        boolean running = nested().running();
        vmcs = running ? vmcs02 : vmcs01;
        modes.svm().select(running);
        if (running) {
            control(vmcs02);
            nested().merge(vmcs02);
        }
        TranslationRoot tables = tables12();
        if (tables != null) {
            GuardedNested inner = attachment.nestedContext(id);
            inner.enter(tables);
            mmu = inner;
        } else {
            mmu = attachment.context(id);
        }
        programmed = null;
    }

    /**
     * {@code other} runs from now on, in the paging state {@code state}: a guest of the guest that is entered, or the guest itself after its
     * exit.
     *
     * @param keep nothing that was cached for it is dropped
     */
    void become(GuestState other, PagingState state, boolean keep) {
        guest = other;
        registers.paging = state;
        chooseContext();
        // Without VPIDs the transition drops linear and combined mappings (SDM vol. 3, "Operations that Invalidate Cached Mappings"), and what a
        // one-dimensional design has derived from tables with them; guest-physical ones stay.
        loadPaging(state, keep || !demand.interceptCr3Loads());
        if (!keep) {
            flushes.vpid();
        }
        engine.switchTo(other);
        TranslationObserver observer = machine.checker();
        if (observer != null && nested().running()) {
            observer.enteredNested(id, nested().tag(), tables12(), state);
        } else if (observer != null) {
            observer.leftNested(id, state);
        }
    }

    /** The fields that VMREAD and VMWRITE of the guest reach without an exit; null for none. */
    void shadowVmcs(VmcsRegion fields) {
        vmcs01.shadow = fields;
    }

    @Override
    public boolean nests() {
        return attachment.mmu().nests();
    }

    /** True if the guest has executed VMXON. */
    boolean inVmxOperation() {
        return nestedVmx.on();
    }

    /** True if the guest has SVM enabled; its guests have, too. */
    boolean hasSvmEnabled() {
        return registers.paging.hasEfer(ControlBits.EFER_SVME);
    }

    /** True while a guest of the guest runs on EPT or nested tables of its hypervisor. */
    boolean onNestedTables() {
        return tables12() != null;
    }

    /** Writes the aligned 8 bytes at {@code gpa} of guest memory for the hypervisor itself, and has those told who must know. */
    void put(long gpa, long value) {
        emulator.put(gpa, value);
        emulator.tell();
    }

    /** The same where there is memory, while an MMU is asked: who must know hears of it before the next entry. */
    void putQuietly(long gpa, long value) {
        if (guestMemory.pfn(gpa >>> 12, true) != GuestMemory.NO_SLOT) {
            emulator.put(gpa, value);
        }
    }

    /**
     * A guest of the guest has gone over to other tables of its hypervisor's. What is cached is tagged by their root, and survives; only where the
     * hypervisor gave its guest no VPID is it dropped, as an entry would do.
     */
    void otherTables() {
        chooseContext();
        loadPaging(registers.paging, true);
        if (nested().tag() == 0) {
            flushes.vpid();
        }
        TranslationObserver observer = machine.checker();
        if (observer != null) {
            observer.enteredNested(id, nested().tag(), tables12(), registers.paging);
        }
    }

    @Override
    public Disposition vmxInstruction() {
        return nestedVmx.execute(engine.operation());
    }

    @Override
    public Disposition vmFunction() {
        nested().switchTables(engine.operation());
        engine.skip();
        return Disposition.RESUME;
    }

    @Override
    public Disposition svmInstruction() {
        return nestedSvm.execute(engine.operation());
    }

    @Override
    public boolean hasSvm() {
        return attachment.extension() == VirtualizationExtension.SVM && engine.executes(VirtualizationExtension.SVM);
    }

    @Override
    public long hostSaveArea() {
        return nestedSvm.hostSaveArea();
    }

    @Override
    public boolean hostSaveArea(long gpa) {
        return nestedSvm.hostSaveArea(gpa);
    }

    @Override
    public void exitToGuestHypervisor(MmuFault fault) {
        nested().refused(fault);
    }

    @Override
    public long controlled(int cr, long value) {
        return nested().running() ? nested().controlled(registers.paging, cr, value) : value;
    }

    /** Gives up the MMU. In root operation only. */
    void detach() {
        targets.update(List.of());
        attachment = null;
        mmu = null;
        programmed = null;
        if (modes.underSvm()) {
            become(SvmGuest.withRegisters(registers.paging, guestMemory));
        }
        modes.forget();
        for (Vmcs v : List.of(vmcs01, vmcs02)) {
            v.stageWalker = null;
            v.linearWalker = null;
            v.enableEpt = false;
            v.subPageWrites = false;
            v.modeBasedExecute = false;
            v.unrestrictedGuest = false;
            v.eptp = 0;
            v.guestCr3 = registers.paging.cr3();
        }
    }

    /** Runs the guest until {@code until} operations have retired, or something else is to be done first. */
    Stop run(long until) {
        inTurn = true;
        try {
            return turn(until);
        } finally {
            inTurn = false;
        }
    }

    private Stop turn(long until) {
        while (processor.guestTime().retired() < until) {
            if (machine.gate.closing() || !machine.alive() || attachment.guard().failure() != null || cutShort || machine.dirtyLog().ringFull(id)) {
                cutShort = false;
                return Stop.PARK;
            }
            emulator.tell();
            if (flushRequested && !inGuest) {
                flushRequested = false;
                flushes.all(clock());
            }
            if (halted) {
                if (!events.wakes()) {
                    return Stop.HALTED;
                }
                halted = false;
            }
            if (!inGuest) {
                events.prepare();
                enter();
            }
            switch (execute(until)) {
                case BUDGET:
                    break;
                case EXIT:
                    inGuest = false;
                    if (!machine.memory.dirty().runFor(id, handling)) {
                        finished = true;
                        machine.kickAll();
                        return Stop.FINISHED;
                    }
                    break;
                case HALTED:
                    throw new IllegalStateException("the guest halted without the exit that HLT exiting demands");
                case FINISHED:
                    finished = true;
                    return Stop.FINISHED;
                default:
                    throw new IllegalStateException("unknown stop");
            }
        }
        return Stop.DONE;
    }

    /**
     * Runs the engine. Whoever asks for a flush sets the request and then looks whether the engine runs; here it is the other way
     * round, so that one of the two sees the other (KVM: {@code vcpu_enter_guest}, {@code kvm_make_all_cpus_request}).
     */
    private ExecutionEngine.Stop execute(long until) {
        turns = turns + 1;
        executing = true;
        try {
            if (flushRequested || machine.gate.closing() || events.late()) {
                line.raise();
            }
            return engine.run(until - processor.guestTime().retired());
        } catch (PhysicalAddressException e) {
            throw attachment.guard().fail(Misconduct.BAD_STRUCTURES, "a walk of its structures left physical memory: " + e.getMessage());
        } finally {
            executing = false;
        }
    }

    /** Brings the vCPU to where a snapshot finds all of it in registers, memory and what {@link #save} writes. While it is parked. */
    void settle() {
        String hypervisor = inVmxOperation() ? "has executed VMXON" : hasSvmEnabled() ? "has set EFER.SVME" : "";
        if (!hypervisor.isEmpty()) {
            throw new MachineException("the guest on vCPU " + id + " is a hypervisor (it " + hypervisor + "), which no snapshot can hold yet");
        }
        leaveGuest();
        targets.update(List.of());
        if (attachment != null) {
            emulator.tell();
        }
        if (modes.underSvm()) {
            // The next entry takes them from memory again.
            become(SvmGuest.withRegisters(registers.paging, guestMemory));
            programmed = null;
        }
    }

    /** Writes for a snapshot what is neither in registers nor in memory. */
    void save(DataOutput out) throws IOException {
        out.writeLong(processor.guestTime().retired());
        out.writeBoolean(halted);
        out.writeBoolean(finished);
        out.writeLong(nestedSvm.hostSaveArea());
        events.save(out);
        targets.save(out);
        apic.save(out);
    }

    /** Takes what {@link #save} has written. Before the guest runs, in root operation. */
    void restore(DataInput in) throws IOException {
        processor.guestTime().retire(in.readLong());
        halted = in.readBoolean();
        finished = in.readBoolean();
        nestedSvm.hostSaveArea(in.readLong());
        events.restore(in);
        targets.restore(in);
        apic.restore(in);
    }

    /** Gets the processor out of non-root operation, by an external interrupt if it is in it. While the vCPU is parked. */
    void leaveGuest() {
        if (!inGuest || engine == null || !machine.alive()) {
            inGuest = false;
            return;
        }
        line.raise();
        ExecutionEngine.Stop stop = engine.run(1);
        if (stop != ExecutionEngine.Stop.EXIT) {
            throw new IllegalStateException("the engine ran on although the interrupt line was raised: " + stop);
        }
        inGuest = false;
        if (!machine.memory.dirty().runFor(id, handling)) {
            finished = true;
        }
    }

    private void enter() {
        if (tracer.on(TracePoint.KVM_ENTRY)) {
            tracer.tell(TracePoint.KVM_ENTRY);
        }
        // An event is delivered to the guest's kernel.
        mmu.selectPrivilege(registers.cpl != 3 || vmcs.inject);
        TranslationRoot root = mmu.root();
        if (!targets.isEmpty() && !nested().running()) {
            targets.update(mmu.loadableRoots());
            emulator.tell();
            // A slot may lie where the guest has a table.
            root = mmu.root();
        }
        if (root != programmed) {
            modes.program(root, vmcs, registers.paging.cr3());
            if (modes.underSvm()) {
                become(SvmGuest.withoutRegisters(registers.paging));
            }
            programmed = root;
        }
        // By EPT02 the processor would log addresses of L2; there the log goes by write protection. KVM: kvm_mmu_page_ad_need_write_protect.
        modificationLog.enable(vmcs, usesModificationLog && vmcs.enableEpt && tables12() == null && machine.memory.dirty().active());
        try {
            modes.enter(vmcs);
        } catch (IllegalStateException e) {
            throw attachment.guard().fail(Misconduct.BAD_STRUCTURES, "VM entry with its root failed: " + e.getMessage());
        }
        inGuest = true;
    }

    /** The guest's paging state is {@code state} now, which differs in what holds its PDPTEs. */
    private void become(PagingState state) {
        if (state != registers.paging) {
            registers.paging = state;
            if (machine.checker() != null) {
                machine.checker().loaded(id, state, true);
            }
        }
    }

    /**
     * Has {@code audit} look at what the processor can reach in this guest: through the root with which it was entered or, if it will
     * be entered anew, with which it would be. Before its first entry under this MMU it reaches nothing. While the vCPU is parked.
     */
    void isolation(IsolationAudit audit) {
        if (programmed != null) {
            audit.run(inGuest && !flushRequested ? programmed : mmu.root(), vmcs, nested().running());
        }
    }

    /** The guest has switched to another root by itself: what follows from a MOV to CR3 is made good, but for the flush. */
    private void adoptRoot() {
        boolean oneDimensional = !nested().running() && programmed instanceof TranslationRoot.OneDimensional;
        if (oneDimensional && vmcs.guestCr3 != programmed.register()) {
            programmed = null;
            loadPaging(registers.paging.withCr3(targets.guestCr3(vmcs.guestCr3)), true);
        }
    }

    private boolean handled() {
        adoptRoot();
        return exitPath.take(processor.exit());
    }

    @Override
    public void loadPaging(PagingState state, boolean keepPcid) {
        registers.paging = state;
        RealRegisters.load(vmcs, state, demand);
        if (nested().running()) {
            nested().shadows(state, vmcs);
        }
        if (vmcs.enableEpt) {
            vmcs.guestCr3 = state.cr3();
        }
        if (!state.hasEfer(ControlBits.EFER_SVME)) {
            nestedSvm.disabled();
        }
        mmu.load(state, keepPcid);
    }

    @Override
    public void injectPageFault(long gva, int errorCode) {
        events.exception(GuestException.PF, errorCode, gva);
    }

    @Override
    public void injectGeneralProtection() {
        events.exception(GuestException.GP, 0, 0);
    }

    @Override
    public boolean cr3Slot(long guestCr3, long gpa) {
        if (gpa != 0) {
            return targets.keep(guestCr3, gpa);
        }
        targets.forget(guestCr3);
        return true;
    }

    @Override
    public void halt() {
        halted = true;
    }

    @Override
    public Disposition emulate() {
        // Once: a wide store stands for a string instruction, of which KVM decodes one and repeats up to 1024 elements; each
        // element pays for its own lookup and store.
        processor.cycles().charge(Work.EMULATION);
        emulations.increment();
        if (tracer.on(TracePoint.KVM_EMULATE_INSN)) {
            tracer.tell(TracePoint.KVM_EMULATE_INSN);
        }
        return emulator.run();
    }

    /** Puts what the processor has logged into the dirty log. While the vCPU is parked. */
    void drainModificationLog() {
        machine.memory.dirty().runFor(id, draining);
    }

    private boolean drained() {
        modificationLog.drain();
        return true;
    }

    /**
     * Has this vCPU flush before it runs on; returns when it is out of the guest, true if it had to be brought out. Any thread but the one
     * that runs it.
     */
    boolean requestFlush(CycleClock payer) {
        flushRequested = true;
        boolean kicked = inGuest;
        if (kicked) {
            payer.charge(Work.IPI);
        }
        long seen = turns;
        while (executing && turns == seen) {
            line.raise();
            Thread.onSpinWait();
        }
        return kicked;
    }

    /** Gets the vCPU out of the guest soon, if it is in it. Any thread. */
    void kick() {
        if (inGuest) {
            line.raise();
        }
    }

    /** Ends the turn that is going on soon. Any thread. */
    void cutShort() {
        if (inTurn) {
            cutShort = true;
            if (executing) {
                line.raise();
            }
        }
    }

    /** Sets until when the vCPU is to run. */
    void target(long operations) {
        target = processor.guestTime().retired() + operations;
    }

    long target() {
        return target;
    }

    /** True if the vCPU has nothing to do until the next target. */
    boolean done() {
        return finished || processor.guestTime().retired() >= target;
    }

    boolean finished() {
        return finished;
    }

    /** True if the vCPU is halted and no interrupt is there that it would take. */
    boolean halted() {
        return halted && !events.wakes();
    }

    /** What is to be delivered to the guest. */
    Events events() {
        return events;
    }

    /** The way to drop what is cached. In root operation only. */
    Flushes flushes() {
        return flushes;
    }

    Attachment attachment() {
        return attachment;
    }

    /** What runs. */
    GuestState guest() {
        return guest;
    }

    /** What was booted, which may run a guest of its own now. */
    GuestState booted() {
        return nested().running() ? nested().hypervisor() : guest;
    }

    MemoryPort port() {
        return port;
    }

    CycleClock clock() {
        return processor.cycles();
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public RegisterFile registers() {
        return registers;
    }

    @Override
    public MmuContext mmu() {
        return mmu;
    }

    @Override
    public ExecutionEngine engine() {
        return engine;
    }

    @Override
    public VmxProcessor processor() {
        return processor;
    }

    @Override
    public Vmcs vmcs() {
        return vmcs;
    }

    @Override
    public IoPorts ports() {
        return machine.ports;
    }

    @Override
    public LocalApic localApic() {
        return apic;
    }

    @Override
    public Interrupts interrupts() {
        return machine.interrupts;
    }

    @Override
    public Tracing.Tracer tracer() {
        return tracer;
    }

    @Override
    public Counters counters() {
        return machine.counters;
    }

    @Override
    public GuestMemory guestMemory() {
        return guestMemory;
    }

    @Override
    public ControlDemand controlDemand() {
        return demand;
    }

    @Override
    public int physicalAddressBits() {
        return machine.physicalAddressBits();
    }

    @Override
    public int linearAddressBits() {
        return machine.linearAddressBits();
    }
}
