package org.penumbra.testkit.script;

import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.FirstLevelTlb;
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
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.PhysicalAddressException;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;

/**
 * Executes the scripts of a {@link ScriptedGuest}, operation by operation, and tells the processor's observer as every engine does. An exception ends its operation and is written down. All that
 * lasts from one call to the next is in the guest, so that another engine of this kind can go on.
 */
final class ScriptEngine implements ExecutionEngine {
    private static final Kind[] EXPOSED = {
        Kind.LOAD, Kind.STORE, Kind.FETCH, Kind.INVLPG, Kind.MOV_TO_CR0, Kind.MOV_TO_CR3, Kind.MOV_TO_CR4, Kind.WRMSR, null,
        Kind.INVPCID, Kind.UPDATE, Kind.VMX, Kind.VMCALL, null, Kind.SVM
    };

    private GuestState state;
    private ScriptedGuest guest;
    private Script script;
    private final GuestOperation operation = new GuestOperation();
    private Processor cpu;
    private TranslationObserver observer;
    private int vcpu;
    /** The paging state that the observer knows of. */
    private PagingState told;
    private MemoryPort port;
    private RegisterFile registers;
    private FirstLevelTlb code;
    private InterruptLine line;
    private boolean exited;
    /** It exited at a change of privilege before the operation. */
    private boolean changing;
    private long retired;

    /** @param state of a {@link ScriptedGuest} */
    ScriptEngine(GuestState state) {
        select(state);
    }

    private void select(GuestState chosen) {
        state = chosen;
        guest = (ScriptedGuest) chosen.program;
        script = guest.script;
    }

    @Override
    public boolean executes(VirtualizationExtension extension) {
        return true;
    }

    @Override
    public void switchTo(GuestState other) {
        select(other);
        told = registers.paging;
    }

    @Override
    public void attach(Processor processor, MemoryPort memory, int vcpuNumber) {
        cpu = processor;
        observer = processor.observer();
        vcpu = vcpuNumber;
        told = processor.registers().paging;
        port = memory;
        registers = processor.registers();
        code = processor.instructionTlb();
        line = processor.interruptLine();
    }

    @Override
    public Stop run(long budget) {
        exited = false;
        changing = false;
        GuestException event = cpu.takeInjectedEvent();
        if (event != null) {
            if (event.external) {
                throw new MachineException("external interrupt " + event.vector + " for a guest that has no device");
            }
            raised(event);
        }
        if (guest.exits > guest.mostExits()) {
            script.exception[state.next] = Script.STUCK;
            done();
        }
        try {
            return execute(budget);
        } finally {
            settle();
        }
    }

    private Stop execute(long budget) {
        Script s = script;
        ScriptedGuest g = guest;
        while (retired < budget) {
            if (line.raised() && cpu.interrupted() == Outcome.EXIT) {
                return Stop.EXIT;
            }
            int i = state.next;
            if (i == s.count) {
                state.next = 0;
                if (!g.advance(registers.paging)) {
                    return Stop.FINISHED;
                }
                continue;
            }
            if (registers.cpl != cpl(s, i) && cpu.changePrivilege(cpl(s, i), registers.rflags) == Outcome.EXIT) {
                operation.kind = Kind.CHANGE_PRIVILEGE;
                operation.function = cpl(s, i);
                operation.value = registers.rflags;
                exited = true;
                changing = true;
                return Stop.EXIT;
            }
            int outcome = attempt(s, i);
            if (outcome == Outcome.DONE) {
                done();
            } else if (outcome == Outcome.FAULT) {
                raised(cpu.exception());
            } else {
                g.exits++;
                expose(s, i);
                exited = true;
                return Stop.EXIT;
            }
        }
        return Stop.BUDGET;
    }

    /** An access that is allowed by mistake may lead where no memory is. */
    private int attempt(Script s, int i) {
        try {
            return step(s, i);
        } catch (PhysicalAddressException e) {
            s.exception[i] = Script.NOWHERE;
            return Outcome.DONE;
        }
    }

    private int step(Script s, int i) {
        switch (s.kind[i]) {
            case Script.LOAD: {
                int outcome = port.load(s.address[i], s.width[i], access(s, i));
                if (outcome == Outcome.DONE) {
                    s.value[i] = port.value;
                }
                return outcome;
            }
            case Script.STORE:
                return port.store(s.address[i], s.width[i], s.value[i], access(s, i));
            case Script.FETCH:
                return fetch(s, i);
            case Script.UPDATE: {
                int outcome = port.update(s.address[i], s.width[i], s.function[i], s.value[i], access(s, i));
                if (outcome == Outcome.DONE) {
                    s.value[i] = port.value;
                }
                return outcome;
            }
            case Script.KEEP_RAX:
                s.value[i] = registers.gpr[RegisterFile.RAX];
                return Outcome.DONE;
            default: {
                int outcome = privileged(s, i);
                if (outcome == Outcome.DONE) {
                    tell(s, i);
                }
                return outcome;
            }
        }
    }

    /** A fetch has no result to compare, so the contents of memory where the translation leads stand for it. */
    private int fetch(Script s, int i) {
        int access = access(s, i);
        int outcome = port.fetch(s.address[i], s.width[i], access);
        if (outcome == Outcome.DONE) {
            long hpa = code.lookup(s.address[i], access);
            if (hpa < 0) {
                hpa = cpu.translate(s.address[i], access);
            }
            s.value[i] = hpa < 0 ? ~s.value[i] : cpu.memory().load(hpa, s.width[i]);
            registers.rip = s.address[i];
        }
        return outcome;
    }

    /** The privilege that operation {@code i} is for. */
    private static int cpl(Script s, int i) {
        boolean access = s.kind[i] == Script.LOAD || s.kind[i] == Script.STORE || s.kind[i] == Script.FETCH || s.kind[i] == Script.UPDATE;
        return access && Access.isUser(s.access[i]) ? 3 : 0;
    }

    private int access(Script s, int i) {
        registers.rflags = s.ac[i] ? registers.rflags | ControlBits.RFLAGS_AC : registers.rflags & ~ControlBits.RFLAGS_AC;
        return registers.access(s.access[i] & 3);
    }

    private int privileged(Script s, int i) {
        long value = s.value[i];
        switch (s.kind[i]) {
            case Script.INVLPG:
                return cpu.invlpg(s.address[i]);
            case Script.CR0:
                return cpu.movToCr0(value);
            case Script.CR3:
                return cpu.movToCr3(value);
            case Script.CR4:
                return cpu.movToCr4(value);
            case Script.WRMSR:
                registers.gpr[RegisterFile.RCX] = s.address[i];
                registers.gpr[RegisterFile.RAX] = value & 0xffff_ffffL;
                registers.gpr[RegisterFile.RDX] = value >>> 32;
                return cpu.wrmsr((int) s.address[i], value);
            case Script.VMX: {
                int outcome = cpu.vmx(s.function[i], s.width[i], value);
                if (outcome == Outcome.DONE && isVmread(s, i)) {
                    registers.gpr[RegisterFile.RAX] = cpu.vmread();
                }
                return outcome;
            }
            case Script.VMCALL:
                return cpu.vmcall();
            case Script.SVM:
                registers.gpr[RegisterFile.RAX] = value;
                registers.gpr[RegisterFile.RCX] = s.address[i];
                return cpu.svm(s.function[i]);
            case Script.WRPKRU:
                return cpu.wrpkru((int) value);
            case Script.INVPCID:
                return cpu.invpcid(s.function[i], value, s.address[i]);
            default:
                throw new IllegalStateException("no operation has kind " + s.kind[i]);
        }
    }

    private static boolean isVmread(Script s, int i) {
        return s.kind[i] == Script.VMX && s.function[i] == ExitReason.VMREAD.number();
    }

    /** Operation {@code i} took effect: its results, and word to the observer if it is one that changes what may be cached. */
    private void tell(Script s, int i) {
        if (s.kind[i] == Script.VMX) {
            s.errorCode[i] = (int) registers.rflags & (int) (ControlBits.RFLAGS_CF | ControlBits.RFLAGS_ZF);
            s.value[i] = isVmread(s, i) ? registers.gpr[RegisterFile.RAX] : s.value[i];
        }
        if (observer == null) {
            return;
        }
        switch (s.kind[i]) {
            case Script.INVLPG:
                observer.invalidatedPage(vcpu, s.address[i]);
                break;
            case Script.INVPCID:
                observer.invalidatedPcid(vcpu, s.function[i], (int) s.value[i], s.address[i]);
                break;
            case Script.CR3:
                told = registers.paging;
                observer.loaded(vcpu, told, (s.value[i] & ControlBits.CR3_NO_FLUSH) != 0 && told.has4(ControlBits.CR4_PCIDE));
                break;
            default:
                if (!registers.paging.equals(told)) {
                    told = registers.paging;
                    observer.loaded(vcpu, told, false);
                }
        }
    }

    private void raised(GuestException e) {
        int i = state.next;
        script.exception[i] = e.vector;
        script.errorCode[i] = e.errorCode;
        // The kernel's handler does nothing but go on with the next operation.
        registers.cpl = 0;
        if (e.vector == GuestException.PF) {
            registers.cr2 = e.address;
            script.cr2[i] = e.address;
            if (observer != null) {
                observer.pageFault(vcpu, e.address, e.errorCode, (registers.rflags & ControlBits.RFLAGS_AC) != 0);
            }
        }
        cpu.cycles().charge(Work.EXCEPTION);
        done();
    }

    private void done() {
        state.next++;
        guest.exits = 0;
        retired++;
    }

    private void expose(Script s, int i) {
        boolean msr = s.kind[i] == Script.WRMSR;
        operation.kind = EXPOSED[s.kind[i]];
        operation.gva = msr ? 0 : s.address[i];
        operation.msr = msr ? (int) s.address[i] : 0;
        operation.width = s.width[i];
        operation.field = s.kind[i] == Script.VMX ? s.width[i] : 0;
        operation.value = s.value[i];
        operation.function = s.function[i];
    }

    @Override
    public GuestOperation operation() {
        return operation;
    }

    @Override
    public boolean complete(MemoryHooks hooks) {
        requireExit("complete");
        int i = state.next;
        int access = script.access[i] & 3;
        boolean update = operation.kind == Kind.UPDATE;
        if (!update && operation.kind != Kind.LOAD && operation.kind != Kind.STORE && operation.kind != Kind.FETCH) {
            throw new IllegalStateException(operation.kind + " has no memory operand to complete; it is skipped when its work is done");
        }
        if (!hooks.prepare(operation.gva, operation.width, access)) {
            return false;
        }
        if (operation.kind == Kind.STORE) {
            hooks.store(operation.gva, operation.width, operation.value);
        } else if (update) {
            long old;
            do {
                old = hooks.load(operation.gva, operation.width);
            } while (!hooks.compareAndSet(
                    operation.gva, operation.width, old, UpdateFunction.apply(operation.function, old, operation.value)));
            script.value[i] = old;
        } else {
            script.value[i] = hooks.load(operation.gva, Math.min(operation.width, 8));
        }
        retireExited();
        return true;
    }

    @Override
    public void skip() {
        requireExit("skip");
        if (changing) {
            exited = false;
            changing = false;
            return;
        }
        tell(script, state.next);
        retireExited();
    }

    private void requireExit(String what) {
        if (!exited) {
            throw new IllegalStateException("nothing to " + what + ": the engine did not stop at an exit, or is past it");
        }
    }

    private void retireExited() {
        exited = false;
        done();
        settle();
    }

    private void settle() {
        cpu.guestTime().retire(retired);
        cpu.cycles().charge(Work.OPERATION, retired);
        retired = 0;
    }
}
