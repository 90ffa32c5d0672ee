package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.paging.Access;

/** A guest that is a list of operations; exceptions are noted and skip the operation they hit. */
final class ScriptedEngine extends StepwiseEngine {
    final List<Long> loaded = new ArrayList<>();
    /** What an emulated store does instead of storing; null for nothing else. */
    Consumer<MemoryHooks> emulated;
    private final List<GuestOperation> script = new ArrayList<>();
    private int next;

    /** Adds an operation to the script. */
    ScriptedEngine then(Kind kind, long gva, int width, long value) {
        GuestOperation op = new GuestOperation();
        op.kind = kind;
        op.gva = gva;
        op.width = width;
        op.value = value;
        op.port = (int) gva;
        script.add(op);
        return this;
    }

    @Override
    boolean ended() {
        return next == script.size();
    }

    @Override
    int execute() {
        GuestOperation op = operation();
        switch (op.kind) {
            case LOAD:
                int outcome = port.load(op.gva, op.width, cpu.registers().access(Access.READ));
                if (outcome == Outcome.DONE) {
                    loaded.add(port.value);
                }
                return outcome;
            case STORE:
                return port.store(op.gva, op.width, op.value, cpu.registers().access(Access.WRITE));
            case FETCH:
                return port.fetch(op.gva, op.width, cpu.registers().access(Access.FETCH));
            case MOV_TO_CR3:
                return cpu.movToCr3(op.value);
            case MOV_TO_CR4:
                return cpu.movToCr4(op.value);
            case INVLPG:
                return cpu.invlpg(op.gva);
            case OUT:
                return cpu.out(op.port, op.width, op.value);
            case VMCALL:
                return cpu.vmcall();
            case HLT:
                return cpu.hlt();
            default:
                throw new IllegalStateException(op.kind.name());
        }
    }

    @Override
    void deliver(GuestException e) {
        delivered.add(e.vector + " " + e.errorCode + " " + Long.toHexString(e.address));
        next++;
    }

    @Override
    void retire() {
        next++;
        cpu.guestTime().retire(1);
        cpu.cycles().charge(Work.OPERATION);
    }

    @Override
    public GuestOperation operation() {
        return script.get(next);
    }

    @Override
    public boolean complete(MemoryHooks hooks) {
        GuestOperation op = operation();
        int access = op.kind == Kind.STORE ? Access.WRITE : op.kind == Kind.FETCH ? Access.FETCH : Access.READ;
        if (!hooks.prepare(op.gva, op.width, access)) {
            return false;
        }
        if (op.kind == Kind.STORE && emulated != null) {
            emulated.accept(hooks);
        } else if (op.kind == Kind.STORE) {
            hooks.store(op.gva, op.width, op.value);
        } else if (op.kind == Kind.LOAD) {
            loaded.add(hooks.load(op.gva, op.width));
        }
        retire();
        return true;
    }
}
