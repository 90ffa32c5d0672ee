package org.penumbra.experiments.trace;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Penumbra's own form of a trace, version 1. All numbers are little-endian, all checksums CRC-32C.
 *
 * <pre>
 *  head      8   magic: 89 'P' 'T' 'R' 0D 0A 1A 0A, which neither text nor any compressed stream begins with
 *            2   version: 1
 *            2   0
 *            4   length of the comments, at most 65536
 *            n   comments: UTF-8, a line feed after each
 *            4   checksum of the head so far
 *  block     4   length of the records, 1 to 65536
 *            4   checksum of the records
 *            n   records
 *  …
 *  end       4   0
 *            4   checksum of the next 8 bytes
 *            8   number of records in the trace
 *
 *  record    1   7:6 kind   00 fetch, 01 load, 10 store, 11 modify
 *                5:3 size   fetch: 1 to 7 bytes; others: 1 to 7 stand for 1, 2, 4, 8, 16, 32, 64 bytes; 0: it follows
 *                2:0 length of the delta in bytes, 0 to 6
 *            2   size, 1 to 4096, if bits 5:3 are 0
 *            n   delta: address − (address + size of the last record of this kind in this block; 0 before the first),
 *                in zigzag: 2d for d ≥ 0, −2d − 1 for d &lt; 0
 * </pre>
 *
 * <p>So the next instruction of a straight line is one byte, and each block can be read without those before it. The end is there so
 * that a trace which was cut off between two blocks is noticed.
 */
final class BinaryForm {
    static final byte[] MAGIC = {(byte) 0x89, 'P', 'T', 'R', '\r', '\n', 0x1a, '\n'};
    static final int VERSION = 1;
    static final int MAX_COMMENTS = 1 << 16;
    /** The longest block, in bytes of records. */
    static final int MAX_BLOCK = 1 << 16;
    /** The longest record. */
    static final int MAX_RECORD = 1 + 2 + 6;

    /** The longest delta; 7 stands for none. */
    static final int MAX_DELTA = 6;
    /** The size by the first byte of a record; 0 where it follows, and where the length of the delta is none. */
    static final byte[] SIZE = new byte[256];
    /** The bits of 8 bytes that are a delta, by its length. */
    static final long[] DELTA_BITS = new long[8];

    /** Little-endian numbers at any place of a byte array. */
    static final VarHandle INT16 = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT32 = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT64 = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    static {
        for (int first = 0; first < 256; first++) {
            int code = first >>> 3 & 7;
            if (code != 0 && (first & 7) <= MAX_DELTA) {
                SIZE[first] = (byte) (first >>> 6 == TraceBatch.FETCH ? code : 1 << code - 1);
            }
        }
        for (int bytes = 0; bytes <= MAX_DELTA; bytes++) {
            DELTA_BITS[bytes] = (1L << 8 * bytes) - 1;
        }
    }

    private BinaryForm() {}

    /** Bits 5:3 of the first byte of a record of {@code size} bytes. */
    static int sizeCode(byte kind, int size) {
        if (kind == TraceBatch.FETCH) {
            return size <= 7 ? size : 0;
        }
        return Integer.bitCount(size) == 1 && size <= 64 ? Integer.numberOfTrailingZeros(size) + 1 : 0;
    }
}
