package org.penumbra.experiments.trace;

import java.io.IOException;

/** What the readers of every form have in common: the source, closed once, and the first failure, which every later call repeats. */
abstract class SourceReader implements TraceReader {
    final TraceSource source;
    private IOException failure;
    private boolean closed;

    SourceReader(TraceSource source) {
        this.source = source;
    }

    @Override
    public final int read(TraceBatch batch) throws IOException {
        batch.count = 0;
        if (closed) {
            throw new IOException("the trace reader is closed");
        }
        if (failure != null) {
            throw failure;
        }
        try {
            fill(batch);
            return batch.count;
        } catch (IOException e) {
            failure = e;
            throw e;
        }
    }

    /** Puts the next records into the empty {@code batch}, as {@link #read} says. */
    abstract void fill(TraceBatch batch) throws IOException;

    @Override
    public final void close() throws IOException {
        if (!closed) {
            closed = true;
            source.close();
        }
    }
}
