package org.penumbra.experiments.workload;

import java.io.IOException;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.experiments.guest.Contents;
import org.penumbra.experiments.guest.SystemCall;
import org.penumbra.experiments.guest.UserProgram;
import org.penumbra.experiments.trace.TraceBatch;
import org.penumbra.experiments.trace.TraceReader;

/**
 * A process that does what a trace says. The whole lower half is its memory, so that any recorded address may be touched. A trace
 * has no values: what is stored depends on the seed and the position in the trace.
 */
final class TraceProgram implements UserProgram {
    private static final int BATCH = 4096;

    private final TraceReader reader;
    private final long seed;
    private final TraceBatch records = new TraceBatch(BATCH);
    private boolean mapped;
    private long position;

    /** The reader is closed at the end of the trace. */
    TraceProgram(TraceReader reader, long seed) {
        this.reader = reader;
        this.seed = seed;
    }

    @Override
    public SystemCall next(StepBuffer steps) {
        if (!mapped) {
            mapped = true;
            return new SystemCall.Map(0, TraceBatch.ADDRESS_END, true, true, Contents.FILE);
        }
        if (read() == 0) {
            return new SystemCall.Exit();
        }
        for (int i = 0; i < records.count; i++) {
            append(steps, records.kind[i], records.address[i], records.size[i]);
        }
        return null;
    }

    private void append(StepBuffer steps, byte kind, long gva, int bytes) {
        long value = Mix.of(seed + position++);
        switch (kind) {
            case TraceBatch.FETCH:
                steps.fetch(gva, bytes);
                break;
            case TraceBatch.LOAD:
                steps.load(gva, bytes);
                break;
            case TraceBatch.STORE:
                steps.store(gva, bytes, value);
                break;
            default:
                if (bytes <= 8) {
                    steps.update(gva, bytes, UpdateFunction.ADD, value);
                } else {
                    // A read-modify-write wider than 8 bytes is not atomic on x86 either, CMPXCHG16B apart.
                    steps.load(gva, bytes);
                    steps.store(gva, bytes, value);
                }
        }
    }

    private int read() {
        try {
            int n = reader.read(records);
            if (n == 0) {
                reader.close();
            }
            return n;
        } catch (IOException e) {
            throw new MachineException(e.getMessage(), e);
        }
    }
}
