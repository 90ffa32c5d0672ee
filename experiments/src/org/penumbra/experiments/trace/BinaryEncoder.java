package org.penumbra.experiments.trace;

import static org.penumbra.experiments.trace.BinaryForm.INT16;
import static org.penumbra.experiments.trace.BinaryForm.INT32;
import static org.penumbra.experiments.trace.BinaryForm.INT64;
import static org.penumbra.experiments.trace.BinaryForm.MAX_BLOCK;
import static org.penumbra.experiments.trace.BinaryForm.MAX_COMMENTS;
import static org.penumbra.experiments.trace.BinaryForm.MAX_RECORD;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32C;

/** Writes {@link BinaryForm}. */
final class BinaryEncoder extends RecordEncoder {
    private final long[] expected = new long[4];

    BinaryEncoder(OutputStream out) {
        // The delta is written as 8 bytes, of which the next record overwrites what is too much.
        super(out, MAX_BLOCK + 8);
    }

    @Override
    void head(Iterable<String> comments) throws IOException {
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        for (String comment : comments) {
            byte[] line = (comment + "\n").getBytes(StandardCharsets.UTF_8);
            if (lines.size() + line.length > MAX_COMMENTS) {
                throw new IOException("the comments of a trace in binary form are limited to " + MAX_COMMENTS + " bytes; shorten them");
            }
            lines.write(line);
        }
        byte[] head = Arrays.copyOf(BinaryForm.MAGIC, 16 + lines.size() + 4);
        INT16.set(head, 8, (short) BinaryForm.VERSION);
        INT32.set(head, 12, lines.size());
        System.arraycopy(lines.toByteArray(), 0, head, 16, lines.size());
        INT32.set(head, head.length - 4, checksum(head, head.length - 4));
        out.write(head);
    }

    @Override
    void put(byte kind, long address, int size) throws IOException {
        if (MAX_BLOCK - position < MAX_RECORD) {
            block();
        }
        byte[] b = buffer;
        int p = position;
        long delta = address - expected[kind];
        long zigzag = delta << 1 ^ delta >> 63;
        int bytes = (71 - Long.numberOfLeadingZeros(zigzag)) >>> 3;
        int code = BinaryForm.sizeCode(kind, size);
        b[p++] = (byte) (kind << 6 | code << 3 | bytes);
        if (code == 0) {
            INT16.set(b, p, (short) size);
            p += 2;
        }
        INT64.set(b, p, zigzag);
        position = p + bytes;
        expected[kind] = address + size;
    }

    private void block() throws IOException {
        frame(position, checksum(buffer, position));
        out.write(buffer, 0, position);
        position = 0;
        Arrays.fill(expected, 0);
    }

    @Override
    void end(long records) throws IOException {
        if (position > 0) {
            block();
        }
        byte[] count = new byte[8];
        INT64.set(count, 0, records);
        frame(0, checksum(count, 8));
        out.write(count);
    }

    private void frame(int length, int checksum) throws IOException {
        byte[] frame = new byte[8];
        INT32.set(frame, 0, length);
        INT32.set(frame, 4, checksum);
        out.write(frame);
    }

    /** The checksum of the first {@code length} bytes. */
    static int checksum(byte[] bytes, int length) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, 0, length);
        return (int) checksum.getValue();
    }
}
