package org.penumbra.cpu.execute;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.cpu.SystemRegisters;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Executes the machine code of one vCPU. Between two calls everything the guest is lies in the register file and in memory: an instruction that
 * faults or exits has had no effect, but for the elements that a string instruction has completed; an event whose delivery exits is kept in
 * {@link SystemRegisters#vectoring} and delivered by the next {@link #run}.
 */
final class X86Engine implements ExecutionEngine {
    /** CR2 is written, the others are not, by a fault in the delivery of an event; a contributory one makes a double fault. */
    private static final int CONTRIBUTORY = 1 << Core.DE | 1 << Core.TS | 1 << Core.NP | 1 << Core.SS | 1 << Core.GP;

    private Processor cpu;
    private RegisterFile registers;
    private SystemRegisters system;
    private InterruptLine line;
    private TranslationObserver observer;
    private int vcpu;
    private Core core;
    private Events events;
    private Interpreter interpreter;
    private CodeCache cache;
    private Breakpoints breakpoints;
    private final HotRuns hot;
    private final History history = new History();

    /** The run that is executed, or in which the engine has exited, at instruction {@link Core#at}; null if it could not be fetched. */
    private Insn[] running;
    private boolean exited;
    /** Null unless somebody records. */
    private final AccessLog log;
    /** The instruction that {@link #log} holds accesses of is not complete. */
    private boolean partial;

    /** @param listener may be null */
    X86Engine(AccessListener listener, HotRuns hotRuns) {
        hot = hotRuns;
        log = listener == null ? null : new AccessLog(listener);
    }

    @Override
    public void attach(Processor processor, MemoryPort port, int vcpuNumber) {
        cpu = processor;
        registers = processor.registers();
        system = registers.system;
        line = processor.interruptLine();
        observer = processor.observer();
        vcpu = vcpuNumber;
        core = new Core(processor, port, log);
        SegmentLoader loader = new SegmentLoader(core);
        events = new Events(core, loader, new TaskSwitch(core, loader, vcpuNumber));
        interpreter = new Interpreter(core, events, loader, vcpuNumber);
        breakpoints = core.breakpoints;
        cache = new CodeCache(core, port);
    }

    @Override
    public boolean saves() {
        return true;
    }

    @Override
    public Stop run(long budget) {
        exited = false;
        core.stop = null;
        core.completion = null;
        core.refresh();
        try {
            return begin() ? execute(budget) : exit();
        } finally {
            core.flags.settle();
            core.settleTime();
        }
    }

    private Stop exit() {
        exited = true;
        return Stop.EXIT;
    }

    /** Delivers what waits: an event that an exit interrupted, one that VM entry injects, or what the two make together. */
    private boolean begin() {
        GuestException injected = cpu.takeInjectedEvent();
        if (system.vectoring) {
            return injected == null
                    ? deliver(system.vectoringVector, system.vectoringError, system.vectoringExternal)
                    : nested(injected.vector, injected.errorCode, injected.address);
        }
        if (injected == null) {
            return system.pendingDebug == 0 || system.interruptShadow || debug(0);
        }
        return injected.external ? deliver(injected.vector, 0, true) : fault(injected.vector, injected.errorCode, injected.address);
    }

    /** Delivers the debug exceptions {@code traps}, as in DR6, and those that were pending; false if the delivery has exited. */
    private boolean debug(long traps) {
        breakpoints.report(traps | system.pendingDebug);
        system.pendingDebug = 0;
        return fault(Core.DB, 0, 0);
    }

    private Stop execute(long budget) {
        long left = budget;
        while (left > 0) {
            if (line.raised() && cpu.interrupted() == Outcome.EXIT) {
                return Stop.EXIT;
            }
            try {
                left -= straight(left);
                if (core.stop != null) {
                    return core.stop;
                }
            } catch (Trap t) {
                if (t == Trap.EXIT || !fault(core.vector, core.errorCode, core.address)) {
                    return exit();
                }
            }
        }
        return Stop.BUDGET;
    }

    /** Executes at most {@code most} instructions, as long as nothing has to be looked at between two of them; answers how many retired. */
    private long straight(long most) {
        long rip = registers.rip;
        running = null;
        boolean watches = breakpoints.any();
        core.memory.watch(watches);
        breakpoints.begin();
        long met = watches && (registers.rflags & Flags.RF) == 0 ? breakpoints.at(linear(rip)) : 0;
        if (met != 0) {
            // An instruction breakpoint is a fault (SDM vol. 3, "Instruction-Breakpoint Exception Condition"); RF is in its frame.
            core.flags.write(Flags.RF, Flags.RF);
            breakpoints.report(met);
            throw core.fault(Core.DB, 0);
        }
        Block block = cache.at(core.in64 ? rip : rip + core.segments.base[Segments.CS] & 0xffff_ffffL);
        Insn[] code = block.code;
        Form[] forms = block.forms;
        boolean in64 = core.in64;
        history.enter(rip, code);
        boolean shadow = system.interruptShadow;
        boolean alone = watches || shadow || (registers.rflags & (Flags.TF | Flags.RF)) != 0;
        core.steps = (registers.rflags & Flags.TF) != 0;
        running = code;
        core.beginRun();
        CompiledRun method = alone || log != null || code.length > most || !inside(block, rip) ? null : hot.enter(block);
        int k = method == null ? 0 : compiled(method, block, rip);
        boolean more = method == null;
        while (more) {
            Insn i = code[k];
            core.at = k;
            Form form = forms[k++];
            long next = rip + i.length;
            if (!in64) {
                if (next - 1 > core.segments.limit[Segments.CS]) {
                    throw core.gp0();
                }
                next &= 0xffff_ffffL;
            }
            core.next = next;
            begun(i);
            if (!interpreter.execute(i, form)) {
                partial = true;
                system.pendingDebug |= breakpoints.take();
                return k - 1;
            }
            rip = core.next;
            retired();
            more = k < code.length && k < most && !alone && !core.changed && core.stop == null && !line.raised();
        }
        if (alone || core.steps) {
            if (shadow) {
                system.interruptShadow = false;
            }
            settleDebug();
            if (system.pendingDebug != 0 && !inhibitsDebug()) {
                breakpoints.report(system.pendingDebug);
                system.pendingDebug = 0;
                throw core.fault(Core.DB, 0);
            }
        }
        return k;
    }

    /** Whether no instruction of the run reaches beyond the limit of the code segment. */
    private boolean inside(Block block, long rip) {
        return core.in64 || rip + block.length - 1 <= core.segments.limit[Segments.CS];
    }

    /** Executes a run by its method; answers how many instructions retired. */
    private int compiled(CompiledRun method, Block block, long rip) {
        int done = -1;
        try {
            done = method.run(core, interpreter, rip);
        } finally {
            boolean left = done < 0;
            core.settleRun(left ? core.at : done);
            registers.rip = left ? block.address(rip, core.at) : core.next;
        }
        return done;
    }

    /** An instruction has retired: RF ends with it, and what it has met is due. */
    private void settleDebug() {
        if (!core.resumes) {
            core.flags.write(0, Flags.RF);
        }
        system.pendingDebug |= breakpoints.take() | (core.steps ? Breakpoints.BS : 0);
    }

    /** MOV SS and POP SS hold debug exceptions back for one instruction (SDM vol. 3, "Masking Exceptions and Interrupts When Switching Stacks"). */
    private boolean inhibitsDebug() {
        return system.interruptShadow && running != null && running[core.at].op != Op.STI;
    }

    private void begun(Insn i) {
        if (log != null) {
            log.begin(linear(registers.rip), i.length, partial);
            partial = false;
        }
    }

    private void retired() {
        registers.rip = core.next;
        core.retired++;
        if (log != null) {
            log.retire();
        }
    }

    /** Delivers an exception that an instruction, or the hypervisor, has raised; false if the delivery has exited. */
    private boolean fault(int vector, int error, long address) {
        if (vector == GuestException.PF) {
            registers.cr2 = address;
            if (observer != null) {
                observer.pageFault(vcpu, address, error, (registers.rflags & Flags.AC) != 0);
            }
        }
        return deliver(vector, error, false);
    }

    private boolean deliver(int vector, int error, boolean external) {
        system.vectoring = true;
        system.vectoringVector = vector;
        system.vectoringError = error;
        system.vectoringExternal = external;
        cpu.cycles().charge(Work.EXCEPTION);
        try {
            events.deliver(vector, !external && Events.hasErrorCode(vector), error, registers.rip, false);
        } catch (Trap t) {
            return t == Trap.FAULT && nested(core.vector, core.errorCode, core.address);
        }
        registers.rip = core.next;
        system.vectoring = false;
        system.interruptShadow = false;
        if (vector == Core.DB) {
            system.debug[7] &= ~Breakpoints.GD;
        }
        return true;
    }

    /** A second exception during delivery of a first: SDM vol. 3, table "Conditions for Generating a Double Fault". */
    private boolean nested(int vector, int error, long address) {
        int first = system.vectoringExternal ? -1 : system.vectoringVector;
        boolean contributes = (CONTRIBUTORY >>> vector & 1) != 0;
        boolean page = vector == Core.PF;
        if (first == Core.DF && (contributes || page)) {
            system.vectoring = false;
            core.memory.operation.kind = GuestOperation.Kind.SHUTDOWN;
            if (cpu.tripleFault() == Outcome.EXIT) {
                return false;
            }
            throw new MachineException("triple fault\n" + report());
        }
        boolean doubled = first == Core.PF && (contributes || page)
                || first >= 0 && (CONTRIBUTORY >>> first & 1) != 0 && contributes;
        if (doubled && page) {
            registers.cr2 = address;
        }
        return doubled ? deliver(Core.DF, 0, false) : fault(vector, error, address);
    }

    @Override
    public GuestOperation operation() {
        return core.memory.operation;
    }

    /**
     * Emulates the instruction at which the engine exited, or goes on with the delivery of an event. An instruction that cannot be fetched
     * any other way, and one with privileged operations of its own, is refused.
     */
    @Override
    public boolean complete(MemoryHooks hooks) {
        requireExit("complete");
        core.memory.emulate(hooks);
        try {
            if (system.vectoring) {
                exited = !deliver(system.vectoringVector, system.vectoringError, system.vectoringExternal);
                return !exited;
            }
            Insn i = running != null ? running[core.at] : cache.at(linear(registers.rip), hooks);
            if (running == null && i.op.group == Op.Group.SYSTEM) {
                return false;
            }
            if (running == null) {
                core.steps = (registers.rflags & Flags.TF) != 0;
                core.memory.watch(breakpoints.any());
                breakpoints.begin();
            }
            core.resumes = false;
            core.next = core.in64 ? registers.rip + i.length : registers.rip + i.length & 0xffff_ffffL;
            begun(i);
            if (interpreter.execute(i, Forms.of(i))) {
                retireExited();
            } else {
                partial = true;
            }
            return true;
        } catch (Trap t) {
            return t == Trap.FAULT && fault(core.vector, core.errorCode, core.address);
        } finally {
            core.memory.emulate(null);
            core.flags.settle();
        }
    }

    private long linear(long rip) {
        return core.in64 ? rip : rip + core.segments.base[Segments.CS] & 0xffff_ffffL;
    }

    @Override
    public void skip() {
        requireExit("skip");
        LongUnaryOperator rest = core.completion;
        core.completion = null;
        if (rest == null || rest.applyAsLong(core.memory.operation.value) != 0) {
            retireExited();
        }
        core.flags.settle();
    }

    private void requireExit(String what) {
        if (!exited) {
            throw new IllegalStateException("nothing to " + what + ": the engine did not stop at an exit, or is past it");
        }
    }

    private void retireExited() {
        exited = false;
        retired();
        system.interruptShadow = false;
        settleDebug();
        core.settleTime();
    }

    @Override
    public String report() {
        return new Report(registers, core.bits).text(history);
    }
}
