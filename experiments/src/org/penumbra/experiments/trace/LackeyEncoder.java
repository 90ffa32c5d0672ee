package org.penumbra.experiments.trace;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Writes the lines that lackey would have written. */
final class LackeyEncoder extends RecordEncoder {
    private static final byte[][] MARK = {
        {'I', ' ', ' '}, {' ', 'L', ' '}, {' ', 'S', ' '}, {' ', 'M', ' '}
    };
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    /** Lackey pads addresses to at least so many digits. */
    private static final int MIN_DIGITS = 8;
    private static final int MAX_RECORD = 3 + 16 + 1 + 4 + 1;

    LackeyEncoder(OutputStream out) {
        super(out, 64 * 1024);
    }

    @Override
    void head(Iterable<String> comments) throws IOException {
        for (String comment : comments) {
            out.write(("# " + comment + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    @Override
    void put(byte kind, long address, int size) throws IOException {
        if (buffer.length - position < MAX_RECORD) {
            flush();
        }
        byte[] b = buffer;
        int p = position;
        byte[] mark = MARK[kind];
        b[p++] = mark[0];
        b[p++] = mark[1];
        b[p++] = mark[2];
        int digits = Math.max(MIN_DIGITS, (67 - Long.numberOfLeadingZeros(address)) / 4);
        for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
            b[p++] = HEX[(int) (address >>> shift) & 15];
        }
        b[p++] = ',';
        for (int unit = size < 10 ? 1 : size < 100 ? 10 : size < 1000 ? 100 : 1000; unit > 0; unit /= 10) {
            b[p++] = HEX[size / unit % 10];
        }
        b[p++] = '\n';
        position = p;
    }

    @Override
    void end(long records) throws IOException {
        flush();
    }

    private void flush() throws IOException {
        out.write(buffer, 0, position);
        position = 0;
    }
}
