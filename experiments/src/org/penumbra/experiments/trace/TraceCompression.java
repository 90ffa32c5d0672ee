package org.penumbra.experiments.trace;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Locale;
import java.util.zip.GZIPOutputStream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZInputStream;
import org.tukaani.xz.XZOutputStream;

/**
 * How the bytes of a trace file are compressed. Reading goes by the first bytes of the file, whatever it is called; writing
 * goes by the name that the file is to have.
 *
 * <p>The same text compressed twice by the same version of this class gives the same bytes. What a decoder may allocate is
 * bounded: see {@link #XZ_MEMORY_KIB} and {@link #ZSTD_WINDOW_LOG}.
 */
public enum TraceCompression {

    /** Plain text. */
    NONE("plain text") {
        @Override
        InputStream decode(InputStream in) {
            return in;
        }

        @Override
        OutputStream encode(OutputStream out) {
            return out;
        }
    },

    /** gzip, several members allowed. The largest files of the three, and read everywhere. */
    GZIP("gzip") {
        @Override
        InputStream decode(InputStream in) throws IOException {
            return new StrictGzipInputStream(in, IO_BUFFER);
        }

        @Override
        OutputStream encode(OutputStream out) throws IOException {
            return new GZIPOutputStream(out, IO_BUFFER);
        }
    },

    /** xz at its default preset, 6: the smallest files, slow to write. */
    XZ("xz") {
        @Override
        InputStream decode(InputStream in) throws IOException {
            return new XZInputStream(new BufferedInputStream(in, IO_BUFFER), XZ_MEMORY_KIB);
        }

        @Override
        OutputStream encode(OutputStream out) throws IOException {
            return new XZOutputStream(out, new LZMA2Options(LZMA2Options.PRESET_DEFAULT));
        }
    },

    /** zstd at level 12 with a checksum: nearly as small as xz, and faster to write than Valgrind records. */
    ZSTD("zstd") {
        @Override
        InputStream decode(InputStream in) throws IOException {
            return new ZstdInputStreamNoFinalizer(in).setLongMax(ZSTD_WINDOW_LOG);
        }

        @Override
        OutputStream encode(OutputStream out) throws IOException {
            return new ZstdOutputStreamNoFinalizer(out, 12).setChecksum(true);
        }
    };

    /**
     * What an xz decoder may allocate, in KiB: enough for every preset of xz ({@code xz -9} needs 65 MiB), not for a
     * dictionary of a gigabyte.
     */
    static final int XZ_MEMORY_KIB = 128 * 1024;
    /**
     * The binary logarithm of the largest zstd window: 128 MiB, the zstd tool's own limit, enough for {@code zstd --ultra
     * -22}.
     */
    static final int ZSTD_WINDOW_LOG = 27;
    /** How many first bytes {@link #ofMagic} looks at. */
    static final int MAGIC_LENGTH = 6;

    private static final int IO_BUFFER = 64 * 1024;

    private final String label;

    TraceCompression(String label) {
        this.label = label;
    }

    /**
     * A reader of what {@code in} holds compressed, which must be positioned at the start. Decoders may read ahead and may
     * throw at once on a bad header.
     */
    abstract InputStream decode(InputStream in) throws IOException;

    /** A writer into {@code out}; closing it completes the compressed stream and closes {@code out}. */
    abstract OutputStream encode(OutputStream out) throws IOException;

    /** The compression's name in messages. */
    String label() {
        return label;
    }

    /** The compression that the first {@code length} bytes of a file show; {@link #NONE} if none of the three. */
    static TraceCompression ofMagic(byte[] head, int length) {
        if (starts(head, length, 0x1f, 0x8b)) {
            return GZIP;
        }
        if (starts(head, length, 0xfd, '7', 'z', 'X', 'Z', 0)) {
            return XZ;
        }
        if (starts(head, length, 0x28, 0xb5, 0x2f, 0xfd)) {
            return ZSTD;
        }
        // A skippable frame, 184D2A50 to 184D2A5F little-endian: seekable and multi-threaded zstd writers begin with one.
        boolean skippable = length >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18;
        return skippable ? ZSTD : NONE;
    }

    /**
     * The compression that a file of this name is written with: gzip for {@code .gz}, xz for {@code .xz}, zstd for {@code
     * .zst}, in any case; plain text for any other name.
     *
     * @param file a path with at least a file name
     */
    public static TraceCompression ofName(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".gz")) {
            return GZIP;
        }
        if (name.endsWith(".xz")) {
            return XZ;
        }
        return name.endsWith(".zst") ? ZSTD : NONE;
    }

    private static boolean starts(byte[] head, int length, int... magic) {
        if (length < magic.length) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if ((head[i] & 0xff) != magic[i]) {
                return false;
            }
        }
        return true;
    }
}
