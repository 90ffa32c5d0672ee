package org.penumbra.experiments.trace;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;

/**
 * Reads the records of a trace from beginning to end, once.
 *
 * <pre>{@code
 * TraceBatch batch = new TraceBatch(4096);
 * try (TraceReader reader = TraceReader.open(path)) {
 *     while (reader.read(batch) > 0) {
 *         for (int i = 0; i < batch.count; i++) {
 *             touch(batch.kind[i], batch.address[i], batch.size[i]);
 *         }
 *     }
 * }
 * }</pre>
 *
 * <p>Every record that is delivered was checked: its address and size are in the ranges that {@link TraceBatch} states.
 * The first bad line ends the reading with a {@link TraceFormatException}; nothing is skipped but what the
 * {@linkplain org.penumbra.experiments.trace package description} lists. Used by one thread at a time; allocates nothing
 * while it reads, whatever the file's length.
 */
public interface TraceReader extends Closeable {

    /**
     * Opens a trace file, or a pipe. Its form and compression are found from its first bytes; its name does not matter.
     *
     * @throws TraceFormatException if there is no such file, it is a directory, it cannot be read or is empty, or its
     *         compressed stream is bad at the very start
     * @throws IOException if the device fails
     */
    static TraceReader open(Path file) throws IOException {
        return TraceSource.open(file);
    }

    /**
     * Reads a trace from a stream, for example from a resource of a bundle. The stream belongs to the reader from now on: it
     * is closed with the reader, and also if this method throws.
     *
     * @param name what messages call it
     * @throws TraceFormatException if it is empty, or its compressed stream is bad at the very start
     * @throws IOException if the stream fails
     */
    static TraceReader open(String name, InputStream in) throws IOException {
        return TraceSource.open(name, in);
    }

    /**
     * Replaces the batch's contents by the next records: as many as fit, fewer only at the end of the trace.
     *
     * @return the number of records, {@code batch.count}; 0 at the end of the trace and ever after
     * @throws TraceFormatException at a line or place that is no record, at the end of a damaged or truncated stream, and at the end
     *         of a trace without any record; the batch then holds the good records that came just before, and further calls
     *         throw the same exception
     * @throws IOException if the device fails, or the reader is closed
     */
    int read(TraceBatch batch) throws IOException;

    /** The form of the trace. */
    TraceFormat format();

    /**
     * The comments at the head of the trace, without marks; known as soon as a record has been read. Of text, those that stand before
     * the first record, up to a number that no provenance needs.
     */
    List<String> comments();

    /**
     * The number of lines read so far, in the decompressed text; after an exception for a line, that line's number. 0 for a trace that
     * is no text.
     */
    long line();

    /** The number of records delivered so far. */
    long records();

    /** Closes the file. Closing twice does nothing. */
    @Override
    void close() throws IOException;
}
