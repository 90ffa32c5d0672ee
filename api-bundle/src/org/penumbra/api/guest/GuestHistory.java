package org.penumbra.api.guest;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import org.penumbra.api.machine.MachineException;

/**
 * What the program of one guest was asked so far. A program decides by that alone, so asking a fresh one the same makes it what this one is: that is
 * how a program, whose data structures are its own, goes into a snapshot. Used by the thread that runs the vCPU.
 *
 * <pre>
 *  REFILL      n          the next batch, n times
 *  INTERRUPT   vector
 *  PAGE_FAULT  error code * 2 + user   cr2 less that of the fault before, zigzag
 * </pre>
 *
 * Numbers are LEB128: seven bits a byte, the low ones first, bit 7 where more follow.
 */
final class GuestHistory {
    /** Some 40 million faults; a guest that has had more goes on without a history. */
    private static final int MOST_BYTES = 1 << 28;
    private static final int MOST_VARINT = 10;
    private static final byte REFILL = 0;
    private static final byte INTERRUPT = 1;
    private static final byte PAGE_FAULT = 2;

    private byte[] bytes = new byte[64];
    private int length;
    /** Batches since what {@link #bytes} ends with. */
    private long batches;
    private long lastCr2;
    private boolean lost;

    void refill() {
        batches++;
    }

    void interrupt(int vector) {
        if (begin(INTERRUPT)) {
            number(vector);
        }
    }

    void pageFault(long cr2, int errorCode, boolean user) {
        if (begin(PAGE_FAULT)) {
            number((long) errorCode << 1 | (user ? 1 : 0));
            long difference = cr2 - lastCr2;
            number(difference << 1 ^ difference >> 63);
            lastCr2 = cr2;
        }
    }

    /** Makes room for an event and begins it; false if there is none. */
    private boolean begin(byte event) {
        if (lost || length > MOST_BYTES) {
            lost = true;
            bytes = new byte[0];
            return false;
        }
        if (bytes.length - length < 2 + 3 * MOST_VARINT) {
            bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        batchesSoFar();
        bytes[length++] = event;
        return true;
    }

    private void batchesSoFar() {
        if (batches > 0) {
            bytes[length++] = REFILL;
            number(batches);
            batches = 0;
        }
    }

    private void number(long value) {
        long rest = value;
        for (; rest >>> 7 != 0; rest >>>= 7) {
            bytes[length++] = (byte) (rest | 0x80);
        }
        bytes[length++] = (byte) rest;
    }

    void save(DataOutput out) throws IOException {
        if (lost) {
            throw new MachineException("the guest has had too many faults and interrupts for a snapshot: what its program was asked fills "
                    + (MOST_BYTES >> 20) + " MiB");
        }
        if (bytes.length - length < 1 + MOST_VARINT) {
            bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        batchesSoFar();
        out.writeInt(length);
        out.write(bytes, 0, length);
        out.writeLong(lastCr2);
    }

    /** Takes what {@link #save} has written, and asks the program of {@code guest}, which was asked nothing yet, all of it. */
    void restore(DataInput in, GuestState guest) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MOST_BYTES + 4 * MOST_VARINT) {
            throw new IllegalArgumentException("a guest's history of " + count + " bytes");
        }
        bytes = new byte[count + 64];
        in.readFully(bytes, 0, count);
        long cr2 = 0;
        length = 0;
        while (length < count) {
            byte event = bytes[length++];
            long value = next();
            if (event == REFILL) {
                for (long i = 0; i < value; i++) {
                    guest.batch.clear();
                    guest.program.refill(guest.batch);
                }
            } else if (event == INTERRUPT) {
                guest.handler.clear();
                guest.program.interrupt((int) value, guest.handler);
            } else if (event == PAGE_FAULT) {
                long difference = next();
                cr2 += difference >>> 1 ^ -(difference & 1);
                guest.handler.clear();
                guest.program.pageFault(cr2, (int) (value >>> 1), (value & 1) != 0, guest.handler);
            } else {
                throw new IllegalArgumentException("event " + event + " in a guest's history");
            }
        }
        lastCr2 = in.readLong();
        if (lastCr2 != cr2 || length != count) {
            throw new IllegalArgumentException("a guest's history that ends within an event");
        }
    }

    private long next() {
        long value = 0;
        int shift = 0;
        byte part;
        do {
            part = bytes[length++];
            value |= (part & 0x7fL) << shift;
            shift += 7;
        } while (part < 0 && shift < 7 * MOST_VARINT);
        return value;
    }
}
