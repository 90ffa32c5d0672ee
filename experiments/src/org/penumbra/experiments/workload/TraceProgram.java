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
    /** By kind of record: the step, its function, and whether it has a value. */
    private static final byte[] STEP = {StepBuffer.FETCH, StepBuffer.LOAD, StepBuffer.STORE, StepBuffer.UPDATE};
    private static final byte[] FUNCTION = {0, 0, 0, UpdateFunction.ADD};
    private static final long[] VALUE = {0, 0, -1, -1};

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
        append(steps);
        return null;
    }

    private void append(StepBuffer steps) {
        int n = records.count;
        steps.reserve(2 * n);
        byte[] kinds = steps.kind;
        byte[] functions = steps.function;
        int[] widths = steps.width;
        long[] addresses = steps.address;
        long[] values = steps.value;
        int at = steps.count;
        for (int i = 0; i < n; i++) {
            byte kind = records.kind[i];
            int size = records.size[i];
            long value = Mix.of(seed + position + i);
            if (kind == TraceBatch.MODIFY && size > 8) {
                // A read-modify-write wider than 8 bytes is not atomic on x86 either, CMPXCHG16B apart.
                kinds[at] = StepBuffer.LOAD;
                functions[at] = 0;
                widths[at] = size;
                addresses[at] = records.address[i];
                values[at] = 0;
                at++;
                kind = TraceBatch.STORE;
            }
            kinds[at] = STEP[kind];
            functions[at] = FUNCTION[kind];
            widths[at] = size;
            addresses[at] = records.address[i];
            values[at] = value & VALUE[kind];
            at++;
        }
        position += n;
        steps.count = at;
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
