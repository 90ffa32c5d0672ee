package org.penumbra.testkit.script;

import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;

/**
 * The software of one vCPU that plans a {@link Script}, looks at what became of it, and plans the next. Everything that the run is
 * between two operations is here; which operation is next is {@link org.penumbra.api.guest.GuestState#next}. Used by the thread that runs the vCPU.
 */
public abstract class ScriptedGuest implements GuestProgram {
    /** What is executed now. */
    protected final Script script = new Script();
    /** How often the next operation has exited. */
    int exits;

    /**
     * After so many exits an operation makes no progress. A design may need some for one operation, a table of each level after the other;
     * more is a design that does nothing.
     */
    protected int mostExits() {
        return 64;
    }

    /**
     * Every operation of the script has been executed: judges it and plans the next.
     *
     * @param now the paging state of the vCPU
     * @return false if there is nothing left to do
     */
    protected abstract boolean advance(PagingState now);

    @Override
    public final boolean refill(StepBuffer steps) {
        throw noSteps();
    }

    @Override
    public final void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw noSteps();
    }

    @Override
    public final void interrupt(int number, StepBuffer handler) {
        throw noSteps();
    }

    private static MachineException noSteps() {
        return new MachineException("a guest of the test kit has no steps: it runs on the engine '" + ScriptEngineFactory.NAME + "'");
    }
}
