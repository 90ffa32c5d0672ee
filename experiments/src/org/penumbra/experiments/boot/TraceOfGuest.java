package org.penumbra.experiments.boot;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.experiments.trace.TraceBatch;
import org.penumbra.experiments.trace.TraceWriter;

/**
 * Records what a guest accesses as a trace that workloads replay. Addresses from 2^47 on, which a replaying program does not have, are left out
 * and counted. The thread that runs the vCPU; nothing is left of a trace that is not {@link #commit committed}.
 */
public final class TraceOfGuest implements AccessListener, Closeable {
    private final TraceWriter writer;
    private final TraceBatch batch = new TraceBatch(4096);
    private long leftOut;

    /** @throws IOException with one clear line if {@code target} cannot be written */
    public TraceOfGuest(Path target, String comment) throws IOException {
        writer = TraceWriter.create(target, List.of(comment));
    }

    @Override
    public void accessed(Kind kind, long gva, int width) {
        if (gva < 0 || gva + width > TraceBatch.ADDRESS_END) {
            leftOut++;
            return;
        }
        batch.add(kind == Kind.FETCH ? TraceBatch.FETCH : kind == Kind.LOAD ? TraceBatch.LOAD
                : kind == Kind.STORE ? TraceBatch.STORE : TraceBatch.MODIFY, gva, width);
        if (batch.count == batch.capacity()) {
            flush();
        }
    }

    private void flush() {
        try {
            writer.write(batch);
        } catch (IOException e) {
            throw new UncheckedIOException("the trace cannot be written: " + e.getMessage(), e);
        }
        batch.clear();
    }

    /** Accesses that the trace does not have. */
    public long leftOut() {
        return leftOut;
    }

    /** Gives the trace its name; answers the number of records. */
    public long commit() throws IOException {
        flush();
        long records = writer.records();
        writer.commit();
        return records;
    }

    @Override
    public void close() throws IOException {
        writer.close();
    }
}
