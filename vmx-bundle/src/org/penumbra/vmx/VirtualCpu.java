package org.penumbra.vmx;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Counters.Counter;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmxProcessor;

/** One virtual processor: architectural state, VMCS, engine, and the loop of entries and exits. */
final class VirtualCpu implements Vcpu, MmuContextHost {
    private final VirtualMachine machine;
    private final int id;
    private final RegisterFile registers;
    private final VmxProcessor processor;
    private final ExecutionEngine engine;
    private final Vmcs vmcs = new Vmcs();
    private final Emulator emulator;
    private final Counter tlbFlushes;
    private final Counter emulations;
    private final long transition;
    private MmuContext mmu;
    private ControlDemand demand;
    private TranslationRoot programmed;
    private boolean inGuest;

    VirtualCpu(VirtualMachine machine, int id, RegisterFile registers, VmxProcessor processor, ExecutionEngine engine, long transition) {
        this.machine = machine;
        this.id = id;
        this.registers = registers;
        this.processor = processor;
        this.engine = engine;
        this.transition = transition;
        this.emulator = new Emulator(machine, this);
        this.tlbFlushes = machine.counters.counter("tlb_flush");
        this.emulations = machine.counters.counter("insn_emulation");
        // VPID 0 stands for "no VPID", so vCPU 0 has VPID 1.
        vmcs.vpid = id + 1;
        vmcs.hltExiting = true;
        vmcs.ioExiting = true;
        engine.attach(processor, id);
    }

    /** Attaches the MMU's context, programs the controls that it demands, and loads the guest's paging state into it. */
    void attach(MmuContext context, ControlDemand controlDemand) {
        mmu = context;
        demand = controlDemand;
        vmcs.exceptionBitmap = demand.interceptPageFaults() ? 1 << GuestException.PF : 0;
        vmcs.cr3LoadExiting = demand.interceptCr3Loads();
        vmcs.invlpgExiting = demand.interceptInvlpg();
        vmcs.cr0Mask = demand.ownedCr0();
        vmcs.cr4Mask = demand.ownedCr4();
        programmed = null;
        loadPaging(registers.paging, false);
    }

    /** Runs the guest until {@code until} operations have retired; false when it will run no more. */
    boolean run(long until) {
        while (processor.guestTime().retired() < until) {
            enter();
            switch (engine.run(until - processor.guestTime().retired())) {
                case BUDGET:
                    break;
                case EXIT:
                    inGuest = false;
                    if (!handleExit(processor.exit())) {
                        return false;
                    }
                    break;
                case HALTED:
                    throw new IllegalStateException("the guest halted without the exit that HLT exiting demands");
                case FINISHED:
                    return false;
                default:
                    throw new IllegalStateException("unknown stop");
            }
        }
        return true;
    }

    private void enter() {
        if (inGuest) {
            return;
        }
        TranslationRoot root = mmu.root();
        if (root != programmed) {
            program(root);
            programmed = root;
        }
        processor.vmEntry(vmcs);
        inGuest = true;
    }

    private void program(TranslationRoot root) {
        if (root instanceof TranslationRoot.OneDimensional shadow) {
            vmcs.enableEpt = false;
            vmcs.guestCr3 = shadow.cr3();
        } else if (root instanceof TranslationRoot.TwoDimensional ept) {
            vmcs.enableEpt = true;
            vmcs.eptp = ept.eptp();
            vmcs.guestCr3 = registers.paging.cr3();
        }
    }

    private boolean handleExit(ExitRecord exit) {
        int reason = exit.reason;
        long before = processor.cycles().total();
        machine.exitCount.increment();
        Disposition disposition = machine.dispatch.handler(reason).handle(this, exit);
        machine.exits.add(reason, processor.cycles().total() - before + transition);
        if (disposition.code() > 0) {
            return true;
        }
        if (disposition.code() == 0 && machine.ports.poweredOff()) {
            return false;
        }
        throw new MachineException(
                "vCPU " + id + " stopped at " + ExitReason.of(reason) + ": " + disposition.reason()
                        + (disposition.code() < 0 ? " (error " + -disposition.code() + ")" : ""));
    }

    @Override
    public void loadPaging(PagingState state, boolean keepPcid) {
        registers.paging = state;
        mmu.load(state, keepPcid);
        vmcs.guestCr0 = state.cr0() | demand.forcedCr0();
        vmcs.cr0ReadShadow = state.cr0();
        vmcs.guestCr4 = state.cr4();
        vmcs.cr4ReadShadow = state.cr4();
        vmcs.guestEfer = state.efer();
        if (vmcs.enableEpt) {
            vmcs.guestCr3 = state.cr3();
        }
    }

    @Override
    public void injectPageFault(long gva, int errorCode) {
        inject(GuestException.PF, errorCode, gva);
    }

    @Override
    public void injectGeneralProtection() {
        inject(GuestException.GP, 0, 0);
    }

    private void inject(int vector, int errorCode, long address) {
        vmcs.inject = true;
        vmcs.injectVector = vector;
        vmcs.injectErrorCode = errorCode;
        vmcs.injectAddress = address;
    }

    @Override
    public Disposition emulate() {
        // Once: a wide store stands for a string instruction, of which KVM decodes one and repeats up to 1024 elements; each
        // element pays for its own lookup and store.
        processor.cycles().charge(Work.EMULATION);
        emulations.increment();
        return emulator.run();
    }

    @Override
    public void flushPage(long gva) {
        tlbFlushes.increment();
        processor.cycles().charge(Work.FLUSH_PAGE);
        processor.invvpidAddress(vmcs.vpid, gva);
    }

    @Override
    public void flushAll() {
        flushAll(clock());
    }

    /** Drops everything that this vCPU's TLBs hold for its guest, at the cost of {@code payer}. */
    void flushAll(CycleClock payer) {
        tlbFlushes.increment();
        payer.charge(Work.FLUSH_CONTEXT);
        // Guest-physical and combined mappings are tagged by the EPT root and survive INVVPID as far as they have no VPID.
        processor.invvpidContext(vmcs.vpid);
        if (vmcs.enableEpt) {
            processor.inveptContext(vmcs.eptp);
        }
    }

    @Override
    public int vcpu() {
        return id;
    }

    @Override
    public CycleClock clock() {
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
    public Counters counters() {
        return machine.counters;
    }

    @Override
    public ControlDemand controlDemand() {
        return demand;
    }

    @Override
    public int physicalAddressBits() {
        return machine.physicalAddressBits();
    }
}
