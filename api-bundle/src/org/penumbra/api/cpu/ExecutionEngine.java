package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Runs one vCPU's guest: a recorded trace, synthetic steps, machine code. One object per vCPU, called by the thread that runs
 * the vCPU. Between two calls everything the guest is lies in the register file, guest memory and the
 * {@link org.penumbra.api.guest.GuestState}, so that MMU, handlers and the engine itself can be replaced there.
 */
@ConsumerType
public interface ExecutionEngine {
    /** Why {@link #run} returned. */
    enum Stop {
        /** The budget is used up, or a device was written, which may have stopped the machine. */
        BUDGET,
        /** A VM exit: {@link Processor#exit()} says which, {@link #operation()} at what. */
        EXIT,
        /** The processor was halted by HLT. */
        HALTED,
        /** The guest has nothing left to do, or a device powered the machine off. */
        FINISHED
    }

    /**
     * Binds the engine to vCPU number {@code vcpu}, which runs on {@code cpu} and reaches memory through {@code port}. Called once,
     * before {@link #run}.
     */
    void attach(Processor cpu, MemoryPort port, int vcpu);

    /**
     * Delivers an injected event if there is one, then executes until {@code budget} operations retired or something stops it.
     * Before each operation it looks at {@link Processor#interruptLine()} and, if that is raised, calls
     * {@link Processor#interrupted()}.
     * Each retired operation is counted with {@code cpu.guestTime().retire} and charged as
     * {@link org.penumbra.api.clock.Work#OPERATION}, before return at the latest. Exceptions outside VMX, and those the
     * hypervisor does not intercept, are delivered to the guest by the engine itself. The observer of the processor is told of
     * page faults when they are delivered, and of invalidations and control-register loads when they retire, whoever executed
     * them.
     */
    Stop run(long budget);

    /** The operation at which the last {@code run} exited; an external interrupt is no operation. */
    GuestOperation operation();

    /**
     * Executes the operation at which the engine exited against {@code hooks}, and retires it.
     *
     * @return false if a hook refused: then the operation had no effect and is not retired
     */
    boolean complete(MemoryHooks hooks);

    /**
     * Goes on with {@code guest}: its hypervisor, which is a guest itself, has entered it, or it has left to its hypervisor. Between two calls
     * of {@link #run}. An engine of machine code, whose guest is in the registers alone, does nothing.
     */
    default void switchTo(org.penumbra.api.guest.GuestState guest) {
        // The registers say where to go on.
    }

    /** Whether its guests have the instructions of {@code extension}. Of one that they do not have, a hypervisor tells them nothing. */
    default boolean executes(VirtualizationExtension extension) {
        return false;
    }

    /**
     * Whether a snapshot has all of its guest: true of an engine that keeps nothing of it but in registers, memory and the
     * {@link org.penumbra.api.guest.GuestState}, by whose methods alone it asks the guest's program.
     */
    default boolean saves() {
        return false;
    }

    /** The state of the guest for a person, in lines: what a report of a guest's death shows. Empty if there is nothing to tell. */
    default String report() {
        return "";
    }

    /** Retires the operation at which the engine exited without executing it: a handler did its work. */
    void skip();
}
