package org.penumbra.experiments.trace;

import static org.penumbra.experiments.trace.BinaryForm.DELTA_BITS;
import static org.penumbra.experiments.trace.BinaryForm.INT16;
import static org.penumbra.experiments.trace.BinaryForm.INT32;
import static org.penumbra.experiments.trace.BinaryForm.INT64;
import static org.penumbra.experiments.trace.BinaryForm.MAX_BLOCK;
import static org.penumbra.experiments.trace.BinaryForm.MAX_COMMENTS;
import static org.penumbra.experiments.trace.BinaryForm.MAX_DELTA;
import static org.penumbra.experiments.trace.BinaryForm.SIZE;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Reads {@link BinaryForm}, a block at a time.
 *
 * <p>A block's checksum is looked at before any of its records is given out, so a damaged block gives none. The loop in
 * {@link #records} tests each record all the same, since a checksum says nothing about who wrote it. It may look up to 8 bytes past
 * the records, for which the buffer has room.
 */
final class BinaryReader extends SourceReader {
    private static final String LONGER = "it is longer than its block";

    private final byte[] buffer = new byte[MAX_BLOCK + 16];
    private final byte[] frame = new byte[8];
    private final long[] expected = new long[4];
    private final CRC32C checksum = new CRC32C();
    private List<String> comments = List.of();
    private boolean begun;
    private boolean ended;
    private int position;
    private int limit;
    /** Bytes of the decompressed trace before the buffer's first one. */
    private long before;
    private long records;

    BinaryReader(TraceSource source) {
        super(source);
    }

    @Override
    void fill(TraceBatch batch) throws IOException {
        if (!begun) {
            begun = true;
            head();
        }
        while (batch.count < batch.capacity() && !ended) {
            if (position == limit) {
                block();
            } else {
                records(batch);
            }
        }
    }

    /** Takes records until the batch is full or the block is used up. */
    private void records(TraceBatch batch) throws TraceFormatException {
        byte[] b = buffer;
        byte[] kinds = batch.kind;
        long[] addresses = batch.address;
        int[] sizes = batch.size;
        int first = batch.count;
        int n = first;
        int p = position;
        int end = limit;
        String fault = null;
        while (n < kinds.length && p < end) {
            int head = b[p] & 0xff;
            int size = SIZE[head];
            int delta = head & 7;
            int q = p + 1;
            if (size == 0) {
                if (delta > MAX_DELTA) {
                    fault = "a delta of 7 bytes; it has 0 to " + MAX_DELTA;
                    break;
                }
                size = (short) INT16.get(b, q) & 0xffff;
                q += 2;
                if (q > end) {
                    fault = LONGER;
                    break;
                }
                if (size < 1 || size > TraceBatch.MAX_SIZE) {
                    fault = "a size of " + size + " bytes; 1 to " + TraceBatch.MAX_SIZE + " are possible";
                    break;
                }
            }
            int kind = head >>> 6;
            long zigzag = (long) INT64.get(b, q) & DELTA_BITS[delta];
            long address = expected[kind] + (zigzag >>> 1 ^ -(zigzag & 1));
            q += delta;
            if ((address | address + size - 1) >>> 47 != 0 || q > end) {
                fault = q > end ? LONGER
                        : String.format("an access of %d bytes at %x; user addresses are below 800000000000 (hexadecimal)", size, address);
                break;
            }
            expected[kind] = address + size;
            kinds[n] = (byte) kind;
            addresses[n] = address;
            sizes[n] = size;
            n++;
            p = q;
        }
        position = p;
        batch.count = n;
        records += n - first;
        if (fault != null) {
            throw bad("record " + (records + 1) + ", at byte " + (before + p), fault);
        }
    }

    private void head() throws IOException {
        fill(buffer, 0, 16, "the head");
        int version = (short) INT16.get(buffer, 8) & 0xffff;
        if (version != BinaryForm.VERSION) {
            throw source.bad(0, "is a trace in binary form of version " + version + "; this Penumbra reads version "
                    + BinaryForm.VERSION + ", so convert it to text with the one that wrote it");
        }
        int length = (int) INT32.get(buffer, 12);
        if (length < 0 || length > MAX_COMMENTS) {
            throw bad("the head", "comments of " + Integer.toUnsignedString(length) + " bytes; at most " + MAX_COMMENTS + " are possible");
        }
        byte[] head = Arrays.copyOf(buffer, 16 + length);
        fill(head, 16, length, "the head");
        fill(frame, 0, 4, "the head");
        check("the head", head, head.length, (int) INT32.get(frame, 0));
        comments = new String(head, 16, length, StandardCharsets.UTF_8).lines().toList();
        before = head.length + 4;
    }

    private void block() throws IOException {
        before += limit;
        position = 0;
        limit = 0;
        String where = "the block after record " + records + ", at byte " + before;
        fill(frame, 0, 8, where);
        before += 8;
        int length = (int) INT32.get(frame, 0);
        int sum = (int) INT32.get(frame, 4);
        if (length == 0) {
            end(where, sum);
            return;
        }
        if (length < 0 || length > MAX_BLOCK) {
            throw bad(where, "a length of " + Integer.toUnsignedString(length) + " bytes; 1 to " + MAX_BLOCK + " are possible");
        }
        fill(buffer, 0, length, where);
        check(where, buffer, length, sum);
        limit = length;
        Arrays.fill(expected, 0);
    }

    private void end(String where, int sum) throws IOException {
        fill(buffer, 0, 8, where);
        check(where, buffer, 8, sum);
        long written = (long) INT64.get(buffer, 0);
        if (written != records) {
            throw bad(where, "the trace was written with " + Long.toUnsignedString(written) + " records; blocks are missing or too many");
        }
        if (read(buffer, 0, 1) >= 0) {
            throw bad(where, "more follows the end of the trace");
        }
        if (records == 0) {
            throw source.bad(0, "holds no record; a trace has at least one");
        }
        ended = true;
    }

    private void check(String where, byte[] bytes, int length, int expectedSum) throws TraceFormatException {
        checksum.reset();
        checksum.update(bytes, 0, length);
        if ((int) checksum.getValue() != expectedSum) {
            throw bad(where, "its checksum is wrong, so it was damaged");
        }
    }

    /** Reads {@code length} bytes, all of them. */
    private void fill(byte[] bytes, int offset, int length, String where) throws IOException {
        for (int done = 0; done < length; ) {
            int n = read(bytes, offset + done, length - done);
            if (n < 0) {
                throw bad(where, "the file ends inside it, so it was cut off");
            }
            done += n;
        }
    }

    private int read(byte[] bytes, int offset, int length) throws IOException {
        try {
            return source.read(bytes, offset, length);
        } catch (IOException e) {
            throw source.explain(0, e);
        }
    }

    private TraceFormatException bad(String where, String what) {
        return source.bad(0, where + ": " + what + "; copy or convert it again");
    }

    @Override
    public TraceFormat format() {
        return TraceFormat.BINARY;
    }

    @Override
    public List<String> comments() {
        return comments;
    }

    @Override
    public long line() {
        return 0;
    }

    @Override
    public long records() {
        return records;
    }
}
