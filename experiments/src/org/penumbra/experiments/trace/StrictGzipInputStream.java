package org.penumbra.experiments.trace;

import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * Reads gzip and refuses bytes after the last member that begin no further one. Java's own reader takes them, or a further
 * member whose header is damaged, for the end of the data, and a trace would end early without a word.
 */
final class StrictGzipInputStream extends GZIPInputStream {

    /** The checksum and length that follow a member's compressed data; the inflater never consumes them. */
    private static final int TRAILER = 8;

    StrictGzipInputStream(InputStream in, int buffer) throws IOException {
        super(in, buffer);
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        int n = super.read(bytes, offset, length);
        if (n < 0 && (inf.getRemaining() > TRAILER || in.read() >= 0)) {
            throw new ZipException("bytes that are no gzip follow the compressed data");
        }
        return n;
    }
}
