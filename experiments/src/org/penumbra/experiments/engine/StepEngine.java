package org.penumbra.experiments.engine;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;

/**
 * Executes the steps of a {@link org.penumbra.api.guest.GuestProgram} on one vCPU.
 *
 * <p>A step that faults or exits has had no effect and is executed again, unless it was completed or skipped meanwhile. Between
 * two calls everything is in the {@link GuestState} and the registers; the accumulator is RAX. Interruptions nest one deep: a guest
 * whose handler faults is broken. The path of a step that hits the TLB allocates nothing.
 *
 * <p>One class although it is long: how a step begins, faults, exits and is executed again is the same for all kinds of steps.
 */
final class StepEngine implements ExecutionEngine {
    private static final int RAX = RegisterFile.RAX;
    /** A step can fault twice (not mapped, then copy-on-write) on each of two pages; more than this is a guest that loops. */
    private static final int MOST_FAULTS = 16;
    /** What {@link #step} answers beside the outcomes: HLT took effect; a device was written. */
    private static final int HALT = Outcome.EXIT + 1;
    private static final int PAUSE = HALT + 1;
    /** Bits 5 and 6 of a paging-structure entry (SDM vol. 3, "Accessed and Dirty Flags"). */
    private static final long ACCESSED_DIRTY = 0x60;
    private static final long FNV_PRIME = 0x100_0000_01b3L;
    private static final Kind[] EXPOSED = {
        Kind.FETCH, Kind.LOAD, Kind.STORE, Kind.STORE, Kind.UPDATE, null, null, Kind.INVLPG, Kind.MOV_TO_CR0, Kind.MOV_TO_CR3,
        Kind.MOV_TO_CR4, Kind.CHANGE_PRIVILEGE, Kind.CHANGE_PRIVILEGE, Kind.HLT, Kind.OUT, Kind.VMCALL, Kind.WRMSR, Kind.HLT,
        Kind.CHANGE_PRIVILEGE, Kind.MOV_TO_CR3, Kind.VMX, null, Kind.SVM
    };

    private GuestState guest;
    private final GuestOperation operation = new GuestOperation();

    private Processor cpu;
    private int vcpu;
    private RegisterFile registers;
    private long[] gpr;
    private TranslationObserver observer;
    /** The paging state that the observer knows of. */
    private PagingState told;
    private MemoryPort port;
    private InterruptLine line;
    /** What the last MOV_CR3_SLOT loads. */
    private long slotted;

    private boolean exited;
    /** It exited at the IRET that ends a handler, which is no step. */
    private boolean returning;
    private long retired;
    private long faultedBatch = -1;
    private int faultedNext;
    private int faults;

    /** An engine that goes on with {@code guest}. */
    StepEngine(GuestState guest) {
        this.guest = guest;
    }

    @Override
    public void attach(Processor processor, MemoryPort memory, int vcpuNumber) {
        cpu = processor;
        vcpu = vcpuNumber;
        registers = processor.registers();
        gpr = registers.gpr;
        observer = processor.observer();
        told = registers.paging;
        port = memory;
        line = processor.interruptLine();
    }

    @Override
    public boolean executes(VirtualizationExtension extension) {
        return true;
    }

    @Override
    public boolean saves() {
        return true;
    }

    @Override
    public void switchTo(GuestState other) {
        guest = other;
        // Batches are counted for each guest.
        faultedBatch = -1;
        told = registers.paging;
    }

    @Override
    public Stop run(long budget) {
        exited = false;
        returning = false;
        GuestException event = cpu.takeInjectedEvent();
        if (event != null) {
            deliver(event);
        }
        try {
            return execute(budget);
        } finally {
            settle();
        }
    }

    private Stop execute(long budget) {
        GuestState g = guest;
        while (retired < budget) {
            // Looked at where nothing is left to do, too: whoever raised the line waits for this vCPU to come out.
            if (line.raised() && cpu.interrupted() == Outcome.EXIT) {
                return Stop.EXIT;
            }
            StepBuffer steps = g.steps();
            if (g.next == steps.count) {
                if (g.inHandler && cpu.changePrivilege(g.interruptedCpl, g.interruptedRflags) == Outcome.EXIT) {
                    exposeChange(g.interruptedCpl, g.interruptedRflags);
                    exited = true;
                    returning = true;
                    return Stop.EXIT;
                }
                if (!advance()) {
                    return Stop.FINISHED;
                }
                continue;
            }
            boolean memory = steps.kind[g.next] <= StepBuffer.UPDATE;
            int outcome = memory ? accesses(steps, budget - retired) : step(steps, g.next);
            if (outcome == Outcome.DONE) {
                if (!memory) {
                    g.next++;
                    retired++;
                }
            } else if (outcome == Outcome.FAULT) {
                deliver(cpu.exception());
            } else if (outcome == Outcome.EXIT) {
                expose();
                exited = true;
                return Stop.EXIT;
            } else {
                g.next++;
                retired++;
                return outcome == HALT ? Stop.HALTED : Stop.BUDGET;
            }
        }
        return Stop.BUDGET;
    }

    /**
     * Executes the next step of {@code s}, which is one with a memory operand, and those that follow it up to one without, as long as
     * they are done, the line is not raised, and no more than {@code most} (at least 1) have retired. What such steps cannot change,
     * privilege for one, is looked at once.
     *
     * @return the {@link Outcome} of the step that is the next one now, DONE if it was not tried
     */
    private int accesses(StepBuffer s, long most) {
        byte[] kinds = s.kind;
        byte[] functions = s.function;
        int[] widths = s.width;
        long[] addresses = s.address;
        long[] values = s.value;
        int reading = registers.access(Access.READ);
        int writing = registers.access(Access.WRITE);
        int fetching = registers.access(Access.FETCH);
        long acc = gpr[RAX];
        long digest = guest.digest;
        int first = guest.next;
        int end = first + (int) Math.min(s.count - first, most);
        int i = first;
        try {
            while (i < end) {
                int outcome;
                switch (kinds[i]) {
                    case StepBuffer.FETCH:
                        outcome = port.fetch(addresses[i], widths[i], fetching);
                        if (outcome == Outcome.DONE) {
                            registers.rip = addresses[i];
                        }
                        break;
                    case StepBuffer.LOAD:
                        outcome = port.load(addresses[i], widths[i], reading);
                        if (outcome == Outcome.DONE) {
                            acc = port.value;
                            digest = digest(digest, acc, functions[i]);
                        }
                        break;
                    case StepBuffer.STORE:
                        outcome = port.store(addresses[i], widths[i], values[i], writing);
                        break;
                    case StepBuffer.STORE_ACC:
                        outcome = port.store(addresses[i], widths[i], acc, writing);
                        break;
                    case StepBuffer.UPDATE:
                        outcome = port.update(addresses[i], widths[i], functions[i] & ~StepBuffer.ENTRY, values[i], writing);
                        if (outcome == Outcome.DONE) {
                            acc = port.value;
                            digest = digest(digest, acc, functions[i]);
                        }
                        break;
                    default:
                        return Outcome.DONE;
                }
                if (outcome != Outcome.DONE) {
                    return outcome;
                }
                i++;
                if (line.raised()) {
                    break;
                }
            }
            return Outcome.DONE;
        } finally {
            // Also when a walk has left physical memory: the guest may go on under another design.
            gpr[RAX] = acc;
            guest.digest = digest;
            guest.next = i;
            retired += i - first;
        }
    }

    /** Executes step {@code i} of {@code s}, one without a memory operand; an {@link Outcome}, {@link #HALT}, or {@link #PAUSE}. */
    private int step(StepBuffer s, int i) {
        switch (s.kind[i]) {
            case StepBuffer.AND_ACC:
                gpr[RAX] &= s.value[i];
                return Outcome.DONE;
            case StepBuffer.OR_ACC:
                gpr[RAX] |= s.value[i];
                return Outcome.DONE;
            case StepBuffer.ENTER_KERNEL:
                // As Linux sets IA32_FMASK: a system call begins with interrupts off (SDM vol. 2, "SYSCALL").
                return cpu.changePrivilege(0, registers.rflags & ~ControlBits.RFLAGS_IF);
            case StepBuffer.ENTER_USER:
                return cpu.changePrivilege(3, registers.rflags | ControlBits.RFLAGS_IF);
            case StepBuffer.MOV_CR2:
                registers.cr2 = s.value[i];
                return Outcome.DONE;
            case StepBuffer.CLI:
                return cpu.changePrivilege(registers.cpl, registers.rflags & ~ControlBits.RFLAGS_IF);
            default:
                int outcome = privileged(s, i);
                if (outcome == Outcome.DONE) {
                    tell(s, i);
                }
                return outcome;
        }
    }

    private int privileged(StepBuffer s, int i) {
        switch (s.kind[i]) {
            case StepBuffer.INVLPG:
                return cpu.invlpg(s.address[i]);
            case StepBuffer.MOV_CR0:
                return cpu.movToCr0(s.value[i]);
            case StepBuffer.MOV_CR3:
                return cpu.movToCr3(s.value[i]);
            case StepBuffer.MOV_CR4:
                return cpu.movToCr4(s.value[i]);
            case StepBuffer.OUT:
                int written = cpu.out((int) s.address[i], s.width[i], s.value[i]);
                return written == Outcome.DONE ? PAUSE : written;
            case StepBuffer.MOV_CR3_SLOT:
                int loaded = port.load(s.address[i], s.width[i], registers.access(Access.READ));
                if (loaded != Outcome.DONE) {
                    return loaded;
                }
                slotted = port.value != 0 ? port.value : s.value[i];
                return cpu.movToCr3(slotted);
            case StepBuffer.VMCALL:
                if (s.width[i] != 0) {
                    gpr[RAX] = s.width[i];
                    gpr[RegisterFile.RBX] = s.value[i];
                    gpr[RegisterFile.RCX] = s.address[i];
                }
                return cpu.vmcall();
            case StepBuffer.WRMSR:
                return cpu.wrmsr((int) s.address[i], s.value[i]);
            case StepBuffer.VMX:
                int executed = cpu.vmx(s.function[i], s.width[i], s.value[i]);
                if (executed == Outcome.DONE && s.function[i] == ExitReason.VMREAD.number()) {
                    gpr[RAX] = cpu.vmread();
                }
                return executed;
            case StepBuffer.SVM:
                gpr[RAX] = s.value[i];
                gpr[RegisterFile.RCX] = s.address[i];
                return cpu.svm(s.function[i]);
            case StepBuffer.STI_HLT:
                // Set before HLT exits: the hypervisor asks the flag whether an interrupt may wake this vCPU.
                registers.rflags |= ControlBits.RFLAGS_IF;
                return halt();
            case StepBuffer.HLT:
                return halt();
            default:
                throw new IllegalStateException("no step has kind " + s.kind[i]);
        }
    }

    private int halt() {
        int outcome = cpu.hlt();
        return outcome == Outcome.DONE ? HALT : outcome;
    }

    /** A value reached the guest; once per retired step, so that a repeated attempt does not count twice. */
    private void loaded(long value, byte function) {
        gpr[RAX] = value;
        guest.digest = digest(guest.digest, value, function);
    }

    /**
     * The guest's digest after it has loaded {@code value}. When accessed and dirty bits are set depends on what a processor has
     * cached, so an equal guest may read them differently.
     */
    private static long digest(long before, long value, byte function) {
        long seen = (function & StepBuffer.ENTRY) != 0 ? value & ~ACCESSED_DIRTY : value;
        // The rotation lets a difference in the high bits, which a product only moves up, reach the low ones.
        return Long.rotateLeft((before ^ seen) * FNV_PRIME, 31);
    }

    /** Tells the observer that step {@code i} of {@code s} retired, if it is one that changes what may be cached. */
    private void tell(StepBuffer s, int i) {
        if (observer == null) {
            return;
        }
        switch (s.kind[i]) {
            case StepBuffer.INVLPG:
                observer.invalidatedPage(vcpu, s.address[i]);
                break;
            case StepBuffer.MOV_CR0:
            case StepBuffer.MOV_CR4:
            case StepBuffer.WRMSR:
                // None of them changes CR3, which may hold what a slot said.
                if (!registers.paging.withCr3(told.cr3()).equals(told)) {
                    tellLoaded(registers.paging.withCr3(told.cr3()), false);
                }
                break;
            case StepBuffer.MOV_CR3_SLOT:
                tellLoaded(registers.paging.withCr3(s.value[i]), false);
                break;
            case StepBuffer.MOV_CR3:
                tellLoaded(registers.paging, (s.value[i] & ControlBits.CR3_NO_FLUSH) != 0 && registers.paging.has4(ControlBits.CR4_PCIDE));
                break;
            default:
                break;
        }
    }

    private void tellLoaded(PagingState state, boolean keepPcid) {
        told = state;
        observer.loaded(vcpu, told, keepPcid);
    }

    /** Goes on when the current steps are used up: back from the handler, or to the next batch. */
    private boolean advance() {
        GuestState g = guest;
        if (g.inHandler) {
            g.inHandler = false;
            g.next = g.interruptedNext;
            return true;
        }
        while (!g.finished && g.next == g.batch.count) {
            g.finished = !g.refill();
        }
        return !g.finished;
    }

    private void deliver(GuestException e) {
        cpu.cycles().charge(Work.EXCEPTION);
        if (e.external) {
            interrupt(e.vector);
        } else {
            exception(e.vector, e.errorCode, e.address, e.nested);
        }
    }

    private void interrupt(int vector) {
        enterHandler("external interrupt " + vector);
        registers.rflags &= ~ControlBits.RFLAGS_IF;
        guest.interrupt(vector);
    }

    private void exception(int vector, int errorCode, long gva, boolean nested) {
        if (vector != GuestException.PF) {
            String name = vector == GuestException.GP ? "#GP" : vector == GuestException.UD ? "#UD" : "exception " + vector;
            throw new MachineException("the guest raised " + name + " at " + where() + ", which it has no handler for");
        }
        registers.cr2 = gva;
        if (observer != null && !nested) {
            observer.pageFault(vcpu, gva, errorCode, (registers.rflags & ControlBits.RFLAGS_AC) != 0);
        }
        count(gva, errorCode);
        boolean user = registers.cpl == 3;
        enterHandler(String.format("page fault at 0x%x (%s)", gva, PageFaultError.describe(errorCode)));
        // Interrupts stay off in the handler, as after an interrupt gate.
        registers.rflags &= ~ControlBits.RFLAGS_IF;
        guest.pageFault(gva, errorCode, user);
    }

    private void enterHandler(String what) {
        GuestState g = guest;
        if (g.inHandler) {
            throw new MachineException("guest kernel double fault: " + what + " in its own handler, at " + where());
        }
        g.interruptedNext = g.next;
        g.interruptedCpl = registers.cpl;
        g.interruptedRflags = registers.rflags;
        registers.cpl = 0;
        g.inHandler = true;
        g.next = 0;
    }

    private void count(long gva, int errorCode) {
        faults = faultedBatch == guest.batches && faultedNext == guest.next ? faults + 1 : 1;
        faultedBatch = guest.batches;
        faultedNext = guest.next;
        if (faults > MOST_FAULTS) {
            throw new MachineException(String.format(
                    "the guest makes no progress: %d page faults in a row, the last at 0x%x (%s), at %s",
                    faults, gva, PageFaultError.describe(errorCode), where()));
        }
    }

    private String where() {
        StepBuffer steps = guest.steps();
        String what = guest.next < steps.count ? steps.describe(guest.next) : "the end of a batch";
        return what + ", after " + (cpu.guestTime().retired() + retired) + " operations";
    }

    private void expose() {
        StepBuffer steps = guest.steps();
        int next = guest.next;
        int kind = steps.kind[next];
        operation.kind = EXPOSED[kind];
        operation.gva = kind == StepBuffer.OUT || kind == StepBuffer.WRMSR ? 0 : steps.address[next];
        operation.msr = kind == StepBuffer.WRMSR ? (int) steps.address[next] : 0;
        operation.port = kind == StepBuffer.OUT ? (int) steps.address[next] : 0;
        operation.width = steps.width[next];
        operation.value = kind == StepBuffer.STORE_ACC ? gpr[RAX] : kind == StepBuffer.MOV_CR3_SLOT ? slotted : steps.value[next];
        operation.field = kind == StepBuffer.VMX ? steps.width[next] : 0;
        operation.function = kind == StepBuffer.VMX || kind == StepBuffer.SVM ? steps.function[next] : kind == StepBuffer.UPDATE ? steps.function[next] & ~StepBuffer.ENTRY : 0;
        if (kind == StepBuffer.ENTER_USER) {
            exposeChange(3, registers.rflags | ControlBits.RFLAGS_IF);
        } else if (operation.kind == Kind.CHANGE_PRIVILEGE) {
            exposeChange(kind == StepBuffer.CLI ? registers.cpl : 0, registers.rflags & ~ControlBits.RFLAGS_IF);
        }
    }

    private void exposeChange(int cpl, long rflags) {
        operation.kind = Kind.CHANGE_PRIVILEGE;
        operation.function = cpl;
        operation.value = rflags;
    }

    @Override
    public GuestOperation operation() {
        return operation;
    }

    @Override
    public boolean complete(MemoryHooks hooks) {
        requireExit("complete");
        int narrow = Math.min(operation.width, 8);
        boolean write = operation.kind == Kind.STORE || operation.kind == Kind.UPDATE;
        if (!write && operation.kind != Kind.LOAD && operation.kind != Kind.FETCH) {
            throw new IllegalStateException(operation.kind + " has no memory operand to complete; it is skipped when its work is done");
        }
        int access = write ? Access.WRITE : operation.kind == Kind.FETCH ? Access.FETCH : Access.READ;
        if (!hooks.prepare(operation.gva, operation.width, access)) {
            return false;
        }
        switch (operation.kind) {
            case FETCH:
                registers.rip = operation.gva;
                break;
            case LOAD:
                loaded(hooks.load(operation.gva, narrow), function());
                break;
            case STORE:
                hooks.store(operation.gva, operation.width, operation.value);
                break;
            default:
                long old;
                do {
                    old = hooks.load(operation.gva, narrow);
                } while (!hooks.compareAndSet(
                        operation.gva, narrow, old, UpdateFunction.apply(operation.function, old, operation.value)));
                loaded(old, function());
        }
        retireExited();
        return true;
    }

    @Override
    public void skip() {
        requireExit("skip");
        if (returning) {
            exited = false;
            returning = false;
            advance();
            return;
        }
        tell(guest.steps(), guest.next);
        retireExited();
    }

    private void requireExit(String what) {
        if (!exited) {
            throw new IllegalStateException("nothing to " + what + ": the engine did not stop at an exit, or is past it");
        }
    }

    private byte function() {
        return guest.steps().function[guest.next];
    }

    private void retireExited() {
        exited = false;
        guest.next++;
        retired++;
        settle();
    }

    private void settle() {
        cpu.guestTime().retire(retired);
        cpu.cycles().charge(Work.OPERATION, retired);
        retired = 0;
    }
}
