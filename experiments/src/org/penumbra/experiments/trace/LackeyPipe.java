package org.penumbra.experiments.trace;

import java.io.Closeable;
import java.io.FileInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A named pipe for Valgrind's log, so that the trace and what the traced program prints never meet.
 *
 * <p>The pipe is opened for reading and writing at once: Linux then never waits for the other side, so that nothing hangs if
 * Valgrind does not start, and the pipe has no end of its own, so that a child which the program leaves behind cannot keep
 * it from ending. The end is a zero byte, which {@link #end} writes when the program has ended.
 */
final class LackeyPipe implements Closeable {

    private final Path folder;
    private final Path path;
    private RandomAccessFile pipe;

    private LackeyPipe(Path folder) {
        this.folder = folder;
        path = folder.resolve("pipe");
    }

    static LackeyPipe create() throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("penumbra-trace-",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        LackeyPipe made = new LackeyPipe(folder);
        try {
            int status = new ProcessBuilder("mkfifo", made.path.toString())
                    .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
            if (status != 0) {
                throw new IOException(made.path + ": mkfifo could not make a pipe (exit status " + status
                        + "); set java.io.tmpdir to a folder of a local Linux file system");
            }
            made.pipe = new RandomAccessFile(made.path.toFile(), "rw");
            return made;
        } catch (IOException | InterruptedException | RuntimeException e) {
            made.close();
            throw e;
        }
    }

    /** The pipe as an argument of Valgrind, for which a percent sign is special. */
    String argument() {
        return "--log-file=" + path.toString().replace("%", "%%");
    }

    /** The reading side. Closing it reads on to the end, so that nobody is left waiting at a full pipe. */
    InputStream in() throws IOException {
        return new UntilEnd(new FileInputStream(pipe.getFD()));
    }

    /**
     * Ends what is read, after everything that was written before. Waits while the pipe is full, so somebody must read it.
     */
    void end() {
        try {
            pipe.write(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        if (pipe != null) {
            pipe.close();
        }
        Files.deleteIfExists(path);
        Files.deleteIfExists(folder);
    }

    private static final class UntilEnd extends FilterInputStream {
        private boolean ended;

        UntilEnd(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (ended) {
                return -1;
            }
            int n = in.read(bytes, offset, length);
            ended = n < 0 || bytes[offset + n - 1] == 0;
            if (!ended) {
                return n;
            }
            return n > 1 ? n - 1 : -1;
        }

        @Override
        public void close() throws IOException {
            try {
                transferTo(OutputStream.nullOutputStream());
            } finally {
                in.close();
            }
        }
    }
}
