package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;

/** A guest that is a list of operations; exceptions are noted. */
abstract class StepwiseEngine implements ExecutionEngine {
    final List<String> delivered = new ArrayList<>();
    Processor cpu;
    MemoryPort port;

    /** True if no operation is left. */
    abstract boolean ended();

    /** Does the next operation: an {@link Outcome}. */
    abstract int execute();

    /** The guest goes on behind the operation that was next. */
    abstract void retire();

    abstract void deliver(GuestException e);

    @Override
    public final void attach(Processor processor, MemoryPort memory, int vcpu) {
        cpu = processor;
        port = memory;
    }

    @Override
    public final Stop run(long budget) {
        GuestException event = cpu.takeInjectedEvent();
        if (event != null) {
            deliver(event);
        }
        for (long done = 0; done < budget; done++) {
            if (cpu.interruptLine().raised() && cpu.interrupted() == Outcome.EXIT) {
                return Stop.EXIT;
            }
            if (ended()) {
                return Stop.FINISHED;
            }
            int outcome = execute();
            if (outcome == Outcome.EXIT) {
                return Stop.EXIT;
            }
            if (outcome == Outcome.FAULT) {
                deliver(cpu.exception());
            } else {
                retire();
            }
        }
        return Stop.BUDGET;
    }

    @Override
    public final void skip() {
        retire();
    }
}
