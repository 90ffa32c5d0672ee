package org.penumbra.devices.timer;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.snapshot.Saved;

/**
 * The real-time clock of a PC (MC146818A data sheet) with its 128 bytes of memory, at ports 70H and 71H; its interrupt is GSI 8. The machine is
 * switched on at the beginning of the year 2000, so that equal runs see equal times, and what software writes to the time is forgotten.
 *
 * <pre>
 *  0 seconds   2 minutes   4 hours   6 day of week   7 day   8 month   9 year   32H century
 *  A  6:4 divider, 3:0 rate of the periodic interrupt        B  7 set   6:4 periodic, alarm, update interrupts enabled   2 binary   1 24 hours
 *  C  7 requested, 6:4 by what; cleared when it is read      D  7 valid
 * </pre>
 */
final class RealTimeClock implements PortDevice, Saved {
    private static final int BASE = 0x70;
    private static final int GSI = 8;
    private static final int SOURCE = 2;
    private static final int A = 10;
    private static final int B = 11;
    private static final int C = 12;
    private static final int D = 13;
    private static final int CENTURY = 0x32;
    private static final int PERIODIC = 0x40;
    private static final int REQUESTED = 0x80;
    private static final int BINARY = 4;
    private static final int DAY_24 = 2;
    private static final int VALID = 0x80;
    private static final long OSCILLATOR = 32_768;
    private static final long POWER_ON = Instant.parse("2000-01-01T00:00:00Z").getEpochSecond();
    private static final long SECOND = 1_000_000_000;

    private final Board board;
    private final Ticks ticks = new Ticks(OSCILLATOR);
    private final int[] memory = new int[128];
    private int index;
    private Registration timer;
    /** Which expiry it waits for. */
    private long awaited;
    private long started;

    private RealTimeClock(Board board) {
        this.board = board;
        memory[A] = 0x26;
        memory[B] = DAY_24;
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return Device.onPorts(new RealTimeClock(board));
        }
    }

    @Override
    public int basePort() {
        return BASE;
    }

    @Override
    public int ports() {
        return 2;
    }

    /** Bit 7 of the index masks NMIs on a PC; here it has no effect. */
    @Override
    public synchronized void out(int offset, int width, long value, Host host) {
        int octet = (int) value & 0xff;
        if (offset == 0) {
            index = octet & 0x7f;
        } else if (index != C && index != D) {
            memory[index] = index == A ? octet & 0x7f : octet;
            if (index == A || index == B) {
                started = board.timeline().now();
                arm(1);
            }
        }
    }

    @Override
    public long in(int offset, int width) {
        if (offset == 0) {
            return 0xff;
        }
        int octet;
        boolean lower = false;
        synchronized (this) {
            octet = read();
            if (index == C) {
                memory[C] = 0;
                lower = true;
            }
        }
        if (lower) {
            board.interrupts().setLine(GSI, false, SOURCE);
        }
        return octet;
    }

    private int read() {
        ZonedDateTime now = Instant.ofEpochSecond(POWER_ON + board.timeline().now() / SECOND).atZone(ZoneOffset.UTC);
        switch (index) {
            case 0:
                return coded(now.getSecond());
            case 2:
                return coded(now.getMinute());
            case 4:
                return hours(now.getHour());
            case 6:
                return coded(now.getDayOfWeek().getValue() % 7 + 1);
            case 7:
                return coded(now.getDayOfMonth());
            case 8:
                return coded(now.getMonthValue());
            case 9:
                return coded(now.getYear() % 100);
            case CENTURY:
                return coded(now.getYear() / 100);
            case D:
                return VALID;
            default:
                return memory[index];
        }
    }

    private int hours(int hour) {
        if ((memory[B] & DAY_24) != 0) {
            return coded(hour);
        }
        return coded((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0);
    }

    private int coded(int value) {
        return (memory[B] & BINARY) != 0 ? value : value / 10 << 4 | value % 10;
    }

    /** Ticks of the oscillator between two periodic interrupts: rates 1 and 2 are those of 8 and 9. */
    private long period() {
        int rate = memory[A] & 15;
        return rate == 0 ? 0 : 1L << (rate < 3 ? rate + 7 : rate) - 1;
    }

    private void arm(long n) {
        if (timer != null) {
            timer.close();
            timer = null;
        }
        awaited = n;
        if ((memory[B] & PERIODIC) != 0 && period() > 0) {
            timer = board.timeline().at(started + ticks.time(n * period()), () -> expired(n));
        }
    }

    private void expired(long n) {
        synchronized (this) {
            memory[C] |= REQUESTED | PERIODIC;
            arm(n + 1);
        }
        board.interrupts().setLine(GSI, true, SOURCE);
    }

    @Override
    public synchronized void save(DataOutput out) throws IOException {
        for (int octet : memory) {
            out.writeByte(octet);
        }
        out.writeByte(index);
        out.writeLong(started);
        out.writeLong(timer == null ? 0 : awaited);
    }

    @Override
    public synchronized void restore(DataInput in) throws IOException {
        for (int i = 0; i < memory.length; i++) {
            memory[i] = in.readUnsignedByte();
        }
        index = in.readUnsignedByte() & 0x7f;
        started = in.readLong();
        long n = in.readLong();
        if (n > 0) {
            arm(n);
        }
    }
}
