package org.penumbra.cpu.decode;

/** The bytes that an instruction is decoded from, one after the other; 0 when there are no more, and then they are {@link #dry}. */
final class CodeBytes {
    private byte[] bytes;
    private int available;
    private int at;
    private boolean dry;

    void begin(byte[] code, int count) {
        bytes = code;
        available = count;
        at = 0;
        dry = false;
    }

    /** How many have been taken. */
    int taken() {
        return at;
    }

    /** One was asked for that is not there. */
    boolean dry() {
        return dry;
    }

    /** The next byte, which stays. */
    int peek() {
        if (at >= available) {
            dry = true;
            return 0;
        }
        return bytes[at] & 0xff;
    }

    int next() {
        int octet = peek();
        at += dry ? 0 : 1;
        return octet;
    }

    /** {@code count} bytes, the low one first. */
    long next(int count) {
        long value = 0;
        for (int i = 0; i < count; i++) {
            value |= (long) next() << 8 * i;
        }
        return value;
    }

    long signed(int count) {
        int shift = 64 - 8 * count;
        return next(count) << shift >> shift;
    }
}
