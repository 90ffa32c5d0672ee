package org.penumbra.devices.timer;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.snapshot.Saved;

/**
 * The interval timer of a PC, an 8254 at 1.193182 MHz whose channel 0 raises GSI 0, and port 61H with the gate and the output of channel 2. KVM:
 * {@code i8254.c}.
 *
 * <pre>
 *  40H–42H  counts of channels 0 to 2     43H  control word: 7:6 channel, 3 read-back: 5 = 0 counts, 4 = 0 statuses, 3:1 of which channels
 *  61H      5 output of channel 2   4 toggles   1 speaker   0 gate of channel 2
 * </pre>
 */
final class Pit {
    private static final int BASE = 0x40;
    private static final int CONTROL = 3;
    private static final int GATE_PORT = 0x61;
    private static final int READ_BACK = 3;
    private static final int GSI = 0;
    /** Which source of its line this is, beside user space and irqfds. */
    private static final int SOURCE = 2;

    private final Board board;
    private final PitChannel[] channels = new PitChannel[3];
    private Registration timer;
    /** Which rise of channel 0 it waits for. */
    private long awaited;
    private boolean speaker;

    private Pit(Board board) {
        this.board = board;
        Ticks ticks = new Ticks(1_193_182);
        for (int i = 0; i < 3; i++) {
            channels[i] = new PitChannel(ticks, i != 2);
        }
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            Pit pit = new Pit(board);
            return Device.onPorts(pit.new Counters(), pit.new Gate());
        }
    }

    private long now() {
        return board.timeline().now();
    }

    private synchronized void write(int offset, int octet) {
        if (offset < CONTROL) {
            if (channels[offset].write(octet, now()) && offset == 0) {
                arm(1);
            }
            return;
        }
        int which = octet >>> 6;
        if (which == READ_BACK) {
            for (int i = 0; i < 3; i++) {
                if ((octet & 2 << i) != 0) {
                    readBack(channels[i], octet);
                }
            }
        } else if ((octet & 0x30) == 0) {
            channels[which].latchCount(now());
        } else {
            channels[which].control(octet);
            if (which == 0) {
                disarm();
            }
        }
    }

    private void readBack(PitChannel channel, int word) {
        if ((word & 0x20) == 0) {
            channel.latchCount(now());
        }
        if ((word & 0x10) == 0) {
            channel.latchStatus(now());
        }
    }

    private synchronized int read(int offset) {
        return offset < CONTROL ? channels[offset].read(now()) : 0;
    }

    private synchronized void gate(int octet) {
        channels[2].gate((octet & 1) != 0, now());
        speaker = (octet & 2) != 0;
    }

    private synchronized int gate() {
        long now = now();
        return (channels[2].output(now) ? 0x20 : 0) | (int) (now >>> 14 & 1) << 4 | (speaker ? 2 : 0) | (channels[2].gate() ? 1 : 0);
    }

    /** Waits for the {@code n}th rise of channel 0. */
    private void arm(long n) {
        disarm();
        long at = channels[0].rise(n);
        awaited = n;
        if (at >= 0) {
            timer = board.timeline().at(at, () -> rose(n));
        }
    }

    private void disarm() {
        if (timer != null) {
            timer.close();
            timer = null;
        }
    }

    private void rose(long n) {
        synchronized (this) {
            arm(n + 1);
        }
        board.interrupts().setLine(GSI, true, SOURCE);
        board.interrupts().setLine(GSI, false, SOURCE);
    }

    /** The whole timer. */
    private final class Counters implements PortDevice, Saved {
        @Override
        public void save(DataOutput out) throws IOException {
            synchronized (Pit.this) {
                for (PitChannel c : channels) {
                    c.save(out);
                }
                out.writeBoolean(speaker);
                out.writeLong(timer == null ? 0 : awaited);
            }
        }

        @Override
        public void restore(DataInput in) throws IOException {
            synchronized (Pit.this) {
                for (PitChannel c : channels) {
                    c.restore(in);
                }
                speaker = in.readBoolean();
                long n = in.readLong();
                if (n > 0) {
                    arm(n);
                }
            }
        }

        @Override
        public int basePort() {
            return BASE;
        }

        @Override
        public int ports() {
            return 4;
        }

        @Override
        public void out(int offset, int width, long value, Host host) {
            write(offset, (int) value & 0xff);
        }

        @Override
        public long in(int offset, int width) {
            return read(offset);
        }
    }

    /** Of which {@link Counters} has the state. */
    private final class Gate implements PortDevice, Saved {
        @Override
        public void save(DataOutput out) {
            // Nothing.
        }

        @Override
        public void restore(DataInput in) {
            // Nothing.
        }

        @Override
        public int basePort() {
            return GATE_PORT;
        }

        @Override
        public int ports() {
            return 1;
        }

        @Override
        public void out(int offset, int width, long value, Host host) {
            gate((int) value);
        }

        @Override
        public long in(int offset, int width) {
            return gate();
        }
    }
}
