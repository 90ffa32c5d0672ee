package org.penumbra.cpu.execute;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.api.guest.GuestState;

/**
 * Makes the engine that executes machine code in guest memory. Of the guest's program it wants to know only whether it is an
 * {@link AccessListener}. Runs of code that are executed often become methods.
 */
@Component(property = EngineFactory.ENGINE_NAME + "=" + EngineFactory.X86)
public final class X86EngineFactory implements EngineFactory {
    /** Entries of a run before it is compiled. Making a method takes about 100 µs, some ten thousand interpreted instructions. */
    private static final int THRESHOLD = 50_000;
    /** A method takes 4 KiB of the host's metaspace, beside its machine code. */
    private static final int MOST = 2_048;

    private final int threshold;
    private final int most;

    public X86EngineFactory() {
        this(THRESHOLD, MOST);
    }

    /** Engines that compile a run after {@code threshold} entries, and keep at most {@code most} methods at a time; 0: that only interpret. */
    public X86EngineFactory(int threshold, int most) {
        this.threshold = threshold;
        this.most = most;
    }

    @Override
    public ExecutionEngine create(GuestState guest) {
        return new X86Engine(guest != null && guest.program instanceof AccessListener listener ? listener : null, new HotRuns(threshold, most));
    }
}
