package org.penumbra.experiments.trace;

import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * Writes a trace that {@link TraceReader} reads, in the form and with the compression that its name says
 * ({@link TraceFormat#ofName}, {@link TraceCompression#ofName}).
 *
 * <p>All or nothing: the records go to a temporary file beside the target, named {@code .NAME.….part}, and
 * {@link #commit} gives it the target's name in one step, over an older file of that name. Closing a writer that was not
 * committed deletes the temporary file and leaves the target as it was.
 */
public final class TraceWriter implements Closeable {

    private final Path target;
    private final Path part;
    private final OutputStream out;
    private final RecordEncoder encoder;
    private long records;
    private boolean closed;

    private TraceWriter(Path target, Path part, OutputStream out) {
        this.target = target;
        this.part = part;
        this.out = out;
        this.encoder = TraceFormat.ofName(target).encoder(out);
    }

    /**
     * Begins a trace.
     *
     * @param target the file to be; if it exists it must be a regular file
     * @param comments lines for the head of the trace, for example what was recorded and how; control characters in them are
     *        replaced by {@code ?}, so that each stays one line
     * @throws IOException with one clear line if the target's folder is missing or not writable, or the target is something
     *         else than a file
     */
    public static TraceWriter create(Path target, List<String> comments) throws IOException {
        Path folder = target.toAbsolutePath().getParent();
        if (folder == null || Files.isDirectory(target)) {
            throw new IOException(target + ": is a directory; name the file to write in it");
        }
        if (!Files.isDirectory(folder)) {
            throw new NotDirectoryException(folder + ": there is no such folder to write the trace to; make it first");
        }
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new IOException(target + ": is not a regular file, and a trace would take its place; name another");
        }
        if (!Files.isWritable(folder)) {
            throw new IOException(folder + ": is not writable by this user; write the trace somewhere else");
        }
        String unique = ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime());
        Path part = folder.resolve("." + target.getFileName() + "." + unique + ".part");
        OutputStream file = new BufferedOutputStream(Files.newOutputStream(part, StandardOpenOption.CREATE_NEW,
                StandardOpenOption.WRITE));
        TraceWriter writer = null;
        try {
            writer = new TraceWriter(target, part, TraceCompression.ofName(target).encode(file));
            writer.encoder.head(comments.stream().map(c -> c.replaceAll("\\p{Cntrl}", "?")).toList());
            return writer;
        } catch (Throwable t) {
            try (file) {
                if (writer != null) {
                    writer.close();
                }
            } catch (IOException e) {
                t.addSuppressed(e);
            }
            Files.deleteIfExists(part);
            throw t;
        }
    }

    /** Appends all records of a batch: {@code write(batch, 0, batch.count)}. */
    public void write(TraceBatch batch) throws IOException {
        write(batch, 0, batch.count);
    }

    /**
     * Appends the records {@code from} (inclusive) to {@code to} (exclusive) of a batch. A failed call may have appended
     * some.
     *
     * @throws IllegalArgumentException at a record that a reader would refuse
     * @throws IOException if the file cannot be written, or the writer is closed
     */
    public void write(TraceBatch batch, int from, int to) throws IOException {
        if (closed) {
            throw new IOException("the trace writer is closed");
        }
        for (int i = from; i < to; i++) {
            put(batch.kind[i], batch.address[i], batch.size[i]);
        }
    }

    private void put(byte kind, long address, int size) throws IOException {
        if (kind < TraceBatch.FETCH || kind > TraceBatch.MODIFY || size < 1 || size > TraceBatch.MAX_SIZE || address < 0
                || address > TraceBatch.ADDRESS_END - size) {
            throw new IllegalArgumentException(String.format(
                    "no record of a trace: kind %d, address %x, size %d", kind, address, size));
        }
        encoder.put(kind, address, size);
        records++;
    }

    /** The number of records written so far. */
    public long records() {
        return records;
    }

    /**
     * Completes the trace and puts it in its place. The writer is closed afterwards, whether this succeeds or not.
     *
     * @return the size of the file, in bytes
     * @throws IOException if the trace could not be completed; the target is as it was before
     */
    public long commit() throws IOException {
        if (closed) {
            throw new IOException("the trace writer is closed");
        }
        try {
            encoder.end(records);
            out.close();
            long size = Files.size(part);
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            closed = true;
            return size;
        } finally {
            close();
        }
    }

    /** Gives the trace up, unless it was committed. */
    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            try {
                out.close();
            } finally {
                Files.deleteIfExists(part);
            }
        }
    }
}
