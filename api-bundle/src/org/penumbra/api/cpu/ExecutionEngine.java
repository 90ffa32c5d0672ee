package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Runs one vCPU's guest: a recorded trace, synthetic steps, machine code. One object per vCPU, called by the thread that runs
 * the vCPU. Between two calls everything the guest is lies in the register file, guest memory and the engine's own fields, so
 * that MMU and handlers can be replaced there.
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
     * Binds the engine to {@code cpu} as vCPU number {@code vcpu}. Called once, before {@link #run}.
     */
    void attach(Processor cpu, int vcpu);

    /**
     * Delivers an injected event if there is one, then executes until {@code budget} operations retired or something stops it.
     * Each retired operation is counted with {@code cpu.guestTime().retire} and charged as
     * {@link org.penumbra.api.clock.Work#OPERATION}, before return at the latest. Exceptions outside VMX, and those the
     * hypervisor does not intercept, are delivered to the guest by the engine itself. The observer of the processor is told of
     * page faults when they are delivered, and of invalidations and control-register loads when they retire, whoever executed
     * them.
     */
    Stop run(long budget);

    /** The operation at which the last {@code run} exited. */
    GuestOperation operation();

    /**
     * Executes the operation at which the engine exited against {@code hooks}, and retires it.
     *
     * @return false if a hook refused: then the operation had no effect and is not retired
     */
    boolean complete(MemoryHooks hooks);

    /** Retires the operation at which the engine exited without executing it: a handler did its work. */
    void skip();

    /**
     * A number that depends on every value the guest loaded, in order: equal runs have equal digests. Accessed and dirty bits of
     * page-table entries may be left out, since an equal guest can find them set earlier or later.
     */
    long digest();

    /** Translations the guest asked for: one per access and page. */
    long accesses();

    /** Misses of the first-level TLB among {@link #accesses()}. */
    long misses();
}
