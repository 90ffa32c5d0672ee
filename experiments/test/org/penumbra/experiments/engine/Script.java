package org.penumbra.experiments.engine;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;

/** A guest program written down in a test: batches, and what its handlers do. */
final class Script implements GuestProgram {
    private final Deque<Consumer<StepBuffer>> batches = new ArrayDeque<>();
    private Consumer<StepBuffer> handler = s -> {};
    private Consumer<StepBuffer> interruptHandler = s -> {};
    /** Vectors of the external interrupts. */
    final List<Integer> interrupts = new ArrayList<>();
    /** "cr2 error user" of each page fault. */
    final List<String> faults = new ArrayList<>();

    static Script of(Consumer<StepBuffer> batch) {
        return new Script().then(batch);
    }

    Script then(Consumer<StepBuffer> batch) {
        batches.add(batch);
        return this;
    }

    Script onFault(Consumer<StepBuffer> steps) {
        handler = steps;
        return this;
    }

    Script onInterrupt(Consumer<StepBuffer> steps) {
        interruptHandler = steps;
        return this;
    }

    @Override
    public boolean refill(StepBuffer steps) {
        Consumer<StepBuffer> batch = batches.poll();
        if (batch == null) {
            return false;
        }
        batch.accept(steps);
        return true;
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer steps) {
        faults.add(String.format("%x %x %s", cr2, errorCode, user ? "user" : "kernel"));
        handler.accept(steps);
    }

    @Override
    public void interrupt(int vector, StepBuffer steps) {
        interrupts.add(vector);
        interruptHandler.accept(steps);
    }
}
