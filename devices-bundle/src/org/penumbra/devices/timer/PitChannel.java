package org.penumbra.devices.timer;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * One counter of the 8254 (Intel 8254 data sheet, "Mode Definitions"; KVM: {@code struct kvm_kpic_channel_state} of {@code i8254.c}). Counts in
 * binary whatever the BCD bit says. Guarded by the timer it is in.
 *
 * <pre>
 *  control  5:4 access: 0 latch, 1 low, 2 high, 3 low then high   3:1 mode   0 BCD
 *  status   7 output   6 null count   5:0 as in the control word
 * </pre>
 */
final class PitChannel {
    private static final int LOW_THEN_HIGH = 3;
    private static final int WRAP = 0x10000;
    private static final int STATUS = 0x3f;

    private final Ticks ticks;
    private int control;
    private int count = WRAP;
    private long loaded;
    /** A count was loaded since the control word. */
    private boolean running;
    private boolean gate;
    /** The low half that was written while the high half is awaited; −1 for none. */
    private int half = -1;
    private boolean readsHigh;
    /** Latched count, of which {@link #latchedBytes} are still to be read. */
    private int latched;
    private int latchedBytes;
    private int status = -1;

    PitChannel(Ticks ticks, boolean gate) {
        this.ticks = ticks;
        this.gate = gate;
    }

    int mode() {
        int mode = control >>> 1 & 7;
        // 110 and 111 are 2 and 3.
        return mode > 5 ? mode - 4 : mode;
    }

    private int access() {
        return control >>> 4 & 3;
    }

    /** A control word that does not latch. */
    void control(int word) {
        control = word & STATUS;
        half = -1;
        readsHigh = false;
        latchedBytes = 0;
        status = -1;
        running = false;
    }

    /** A byte of the count; true if it is loaded with it. */
    boolean write(int octet, long now) {
        if (access() == LOW_THEN_HIGH && half < 0) {
            half = octet;
            return false;
        }
        int value = access() == LOW_THEN_HIGH ? octet << 8 | half : access() == 2 ? octet << 8 : octet;
        half = -1;
        count = value == 0 ? WRAP : value;
        loaded = now;
        running = true;
        return true;
    }

    /** The gate rises or falls: a rise restarts the modes that count from it. */
    void gate(boolean open, long now) {
        if (open && !gate && mode() != 0 && mode() != 4) {
            loaded = now;
        }
        gate = open;
    }

    boolean gate() {
        return gate;
    }

    private long passed(long now) {
        return ticks.in(now - loaded);
    }

    private int value(long now) {
        long d = passed(now);
        switch (mode()) {
            case 2:
                return (int) (count - d % count);
            case 3:
                return (int) (count - 2 * d % count);
            default:
                return (int) (count - d) & 0xffff;
        }
    }

    boolean output(long now) {
        long d = passed(now);
        switch (mode()) {
            case 0:
                return running && d >= count;
            case 1:
                return !running || d >= count;
            case 2:
                return !running || d % count != count - 1;
            case 3:
                return !running || d % count < count + 1 >> 1;
            default:
                return !running || d != count;
        }
    }

    /** Time at which the output rises for the {@code n}th time, from 1; −1 if it does not. */
    long rise(long n) {
        boolean periodic = mode() == 2 || mode() == 3;
        return running && (n == 1 || periodic) ? loaded + ticks.time(n * count) : -1;
    }

    /** The latch command; a second one before the count was read has no effect. */
    void latchCount(long now) {
        if (latchedBytes == 0) {
            latched = value(now);
            latchedBytes = access() == LOW_THEN_HIGH ? 2 : 1;
        }
    }

    void latchStatus(long now) {
        if (status < 0) {
            status = (output(now) ? 0x80 : 0) | (running ? 0 : 0x40) | control;
        }
    }

    int read(long now) {
        if (status >= 0) {
            int octet = status;
            status = -1;
            return octet;
        }
        if (latchedBytes > 0) {
            boolean high = access() == 2 || access() == LOW_THEN_HIGH && latchedBytes == 1;
            latchedBytes--;
            return (high ? latched >>> 8 : latched) & 0xff;
        }
        boolean high = access() == 2 || access() == LOW_THEN_HIGH && readsHigh;
        readsHigh = access() == LOW_THEN_HIGH && !readsHigh;
        return (high ? value(now) >>> 8 : value(now)) & 0xff;
    }

    void save(DataOutput out) throws IOException {
        out.writeInt(control);
        out.writeInt(count);
        out.writeLong(loaded);
        out.writeBoolean(running);
        out.writeBoolean(gate);
        out.writeInt(half);
        out.writeBoolean(readsHigh);
        out.writeInt(latched);
        out.writeInt(latchedBytes);
        out.writeInt(status);
    }

    void restore(DataInput in) throws IOException {
        control = in.readInt() & STATUS;
        count = Math.floorMod(in.readInt() - 1, WRAP) + 1;
        loaded = in.readLong();
        running = in.readBoolean();
        gate = in.readBoolean();
        half = in.readInt();
        readsHigh = in.readBoolean();
        latched = in.readInt();
        latchedBytes = in.readInt();
        status = in.readInt();
    }
}
