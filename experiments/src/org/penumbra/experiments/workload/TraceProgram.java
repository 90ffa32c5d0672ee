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
 * A process that does what a trace says. Any recorded address may be touched: the whole lower half is mapped, or, if recorded
 * addresses are folded, each region when the trace comes to it. A trace has no values: what is stored depends on the seed and the
 * position in the trace.
 */
final class TraceProgram implements UserProgram {
    private static final int BATCH = 4096;
    /** By kind of record: the step, its function, and whether it has a value. */
    private static final byte[] STEP = {StepBuffer.FETCH, StepBuffer.LOAD, StepBuffer.STORE, StepBuffer.UPDATE};
    private static final byte[] FUNCTION = {0, 0, 0, UpdateFunction.ADD};
    private static final long[] VALUE = {0, 0, -1, -1};

    private final TraceReader reader;
    private final long seed;
    private final RegionFold fold;
    private final TraceBatch records = new TraceBatch(BATCH);
    /** The next of {@link #records}. */
    private int next;
    private boolean mapped;
    private long position;

    /**
     * The reader is closed at the end of the trace.
     *
     * @param fold where recorded addresses are moved to; null to leave them
     */
    TraceProgram(TraceReader reader, long seed, RegionFold fold) {
        this.reader = reader;
        this.seed = seed;
        this.fold = fold;
    }

    @Override
    public SystemCall next(StepBuffer steps) {
        if (fold == null && !mapped) {
            mapped = true;
            return memory(0, TraceBatch.ADDRESS_END);
        }
        if (next == records.count) {
            next = 0;
            if (read() == 0) {
                return new SystemCall.Exit();
            }
        }
        if (fold == null) {
            appendAll(steps);
            next = records.count;
            return null;
        }
        for (; next < records.count; next++) {
            byte kind = records.kind[next];
            long gva = records.address[next];
            int bytes = records.size[next];
            long start = fold.addMissing(gva, bytes);
            if (start >= 0) {
                return memory(start, RegionFold.REGION);
            }
            // The two parts of an access that lies in two regions need not lie together any more.
            int first = RegionFold.inFirst(gva, bytes);
            append(steps, kind, fold.fold(gva), first);
            if (first < bytes) {
                append(steps, kind, fold.fold(gva + first), bytes - first);
            }
        }
        return null;
    }

    private static SystemCall.Map memory(long start, long bytes) {
        return new SystemCall.Map(start, bytes, true, true, Contents.FILE);
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

    /** Appends the whole batch as it is. */
    private void appendAll(StepBuffer steps) {
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
