package org.penumbra.experiments.trace;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdIOException;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import org.tukaani.xz.MemoryLimitException;

/** The decompressed bytes of a trace, and what to say when they cannot be had. */
final class TraceSource implements Closeable {

    private final String name;
    private final Tap file;
    private final TraceCompression compression;
    private final InputStream bytes;
    /** The first bytes, which were looked at to find the form of the trace. */
    private final byte[] head = new byte[BinaryForm.MAGIC.length];
    private int headLength;
    private int headTaken;
    /** What was thrown while they were looked at; it is thrown again in its place. */
    private IOException headFailure;

    private TraceSource(String name, Tap file, TraceCompression compression, InputStream bytes) {
        this.name = name;
        this.file = file;
        this.compression = compression;
        this.bytes = bytes;
    }

    static TraceReader open(Path file) throws IOException {
        String name = file.toString();
        if (Files.isDirectory(file)) {
            throw new TraceFormatException(name, 0, "is a directory; give a trace file in it");
        }
        try {
            return open(name, Files.newInputStream(file));
        } catch (NoSuchFileException e) {
            throw new TraceFormatException(name, 0, "there is no such file; give an existing trace", e);
        } catch (AccessDeniedException e) {
            throw new TraceFormatException(name, 0, "is not readable by this user; change its permissions", e);
        }
    }

    static TraceReader open(String name, InputStream in) throws IOException {
        Tap file = new Tap(in);
        TraceCompression compression = TraceCompression.NONE;
        try {
            byte[] head = new byte[TraceCompression.MAGIC_LENGTH];
            int n = file.readNBytes(head, 0, head.length);
            if (n == 0) {
                throw new TraceFormatException(name, 0, "is empty; a trace has at least one record");
            }
            compression = TraceCompression.ofMagic(head, n);
            PushbackInputStream whole = new PushbackInputStream(file, head.length);
            whole.unread(head, 0, n);
            TraceSource source = new TraceSource(name, file, compression, compression.decode(whole));
            return source.binary() ? new BinaryReader(source) : new LackeyReader(source, false);
        } catch (IOException e) {
            close(file, e);
            throw explain(name, 1, file, compression, e);
        } catch (RuntimeException | Error e) {
            close(file, e);
            throw e;
        }
    }

    private static void close(Tap file, Throwable reason) {
        try {
            file.close();
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    /** A source of plain text that is being written while it is read: it may end anywhere. */
    static TraceReader live(String name, InputStream in) {
        Tap file = new Tap(in);
        return new LackeyReader(new TraceSource(name, file, TraceCompression.NONE, file), true);
    }

    /** Whether the decompressed bytes begin as {@link BinaryForm} does. Nothing was read before. */
    private boolean binary() {
        try {
            for (int n = 0; n >= 0 && headLength < head.length; n = bytes.read(head, headLength, head.length - headLength)) {
                headLength += n;
            }
        } catch (IOException e) {
            headFailure = e;
        }
        return Arrays.equals(head, BinaryForm.MAGIC);
    }

    /** As {@link InputStream#read(byte[], int, int)}, but never 0 for a positive length. */
    int read(byte[] into, int offset, int length) throws IOException {
        if (headTaken < headLength) {
            int n = Math.min(length, headLength - headTaken);
            System.arraycopy(head, headTaken, into, offset, n);
            headTaken += n;
            return n;
        }
        if (headFailure != null) {
            throw headFailure;
        }
        int n;
        do {
            n = bytes.read(into, offset, length);
        } while (n == 0);
        return n;
    }

    /**
     * What to throw instead of {@code e}, which {@link #read} threw, when {@code line} is the line that could not be read.
     */
    IOException explain(long line, IOException e) {
        return explain(name, line, file, compression, e);
    }

    TraceFormatException bad(long line, String what) {
        return new TraceFormatException(name, line, what);
    }

    @Override
    public void close() throws IOException {
        bytes.close();
        // A decoder whose own close failed may have left the file open; twice does no harm.
        file.close();
    }

    private static IOException explain(String name, long line, Tap file, TraceCompression compression, IOException e) {
        if (e instanceof TraceFormatException || file.failed || compression == TraceCompression.NONE) {
            return e;
        }
        String where = "the " + compression.label() + " stream, at compressed byte " + file.count + ", ";
        String what;
        if (e instanceof MemoryLimitException m) {
            what = where + "asks for " + m.getMemoryNeeded() + " KiB of memory, more than the " + m.getMemoryLimit()
                    + " KiB allowed; compress it again with a smaller dictionary";
        } else if (e instanceof ZstdIOException z && z.getErrorCode() == Zstd.errFrameParameterWindowTooLarge()) {
            what = where + "asks for a window of more than " + (1 << TraceCompression.ZSTD_WINDOW_LOG - 20)
                    + " MiB; compress it again with a smaller window (without --long)";
        } else if (file.ended && (e instanceof EOFException || truncated(e))) {
            what = where + "ends too early: the file was cut off; copy or record it again";
        } else {
            what = where + "is damaged (" + e.getMessage() + "); copy or record it again";
        }
        return new TraceFormatException(name, line, what, e);
    }

    /** zstd-jni has no class and no code of its own for a stream that ends inside a frame. */
    private static boolean truncated(IOException e) {
        return e instanceof ZstdIOException && String.valueOf(e.getMessage()).startsWith("Truncated source");
    }

    /**
     * The file's own bytes: how many were taken, and whether it was the file that failed or ended, not what stands above it.
     */
    private static final class Tap extends FilterInputStream {
        private long count;
        private boolean ended;
        private boolean failed;

        Tap(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            try {
                int n = in.read(bytes, offset, length);
                count += Math.max(n, 0);
                ended |= n < 0;
                return n;
            } catch (IOException e) {
                failed = true;
                throw e;
            }
        }
    }
}
