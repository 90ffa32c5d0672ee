package org.penumbra.experiments.trace;

import java.io.IOException;
import java.io.OutputStream;

/** Puts the records of a trace into the bytes of one form. Made for one trace, and used once: head, records, end. */
abstract class RecordEncoder {
    final OutputStream out;
    final byte[] buffer;
    int position;

    RecordEncoder(OutputStream out, int bufferBytes) {
        this.out = out;
        this.buffer = new byte[bufferBytes];
    }

    /** Begins the trace; {@code comments} are single lines without control characters. */
    abstract void head(Iterable<String> comments) throws IOException;

    /** Appends a record, which is a good one. */
    abstract void put(byte kind, long address, int size) throws IOException;

    /** Writes what is left of the trace, which had {@code records} records. */
    abstract void end(long records) throws IOException;
}
