package {{package}};

import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;

/** Decides in Java what the guest does next; the guest does it step by step. */
final class {{Name}}Program implements GuestProgram {
    /** The debug-exit device: what is written there is the guest's exit code. */
    private static final int EXIT_PORT = 0xf4;

    private final long seed;
    private int pass;

    {{Name}}Program(long seed) {
        this.seed = seed;
    }

    @Override
    public boolean refill(StepBuffer steps) {
        if (pass > {{Name}}Workload.PASSES) {
            return false;
        }
        if (pass == {{Name}}Workload.PASSES) {
            steps.out(EXIT_PORT, 4, 0);
        }
        for (int page = 0; pass < {{Name}}Workload.PASSES && page < {{Name}}Workload.PAGES; page++) {
            steps.store(page * 4096L, 8, seed + pass);
            steps.load(page * 4096L, 8);
        }
        pass++;
        return true;
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new IllegalStateException(String.format("a page fault at 0x%x, where this guest expects none", cr2));
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        throw new IllegalStateException("an interrupt, where this guest expects none");
    }
}
