package org.penumbra.devices.timer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.snapshot.Saved;
import org.penumbra.devices.descriptor.ManualTimeline;

/** The PC's timers on a time that the test moves on; a tick of the 8254 is 838.095 ns. */
class TimersTest {
    private final ManualTimeline time = new ManualTimeline();
    private final List<String> raised = new ArrayList<>();
    private final Board board = new Board((Interrupts) Proxy.newProxyInstance(TimersTest.class.getClassLoader(), new Class<?>[] {Interrupts.class},
            (proxy, method, arguments) -> {
                raised.add(arguments[0] + ((boolean) arguments[1] ? " high at " : " low at ") + time.now());
                return null;
            }), time, 64 << 20, 1);
    private final List<PortDevice> ports = new ArrayList<>();

    TimersTest() {
        ports.addAll(new Pit.Factory().create(board).ports());
        ports.addAll(new RealTimeClock.Factory().create(board).ports());
        ports.addAll(new PmTimer.Factory().create(board).ports());
    }

    private PortDevice device(int port) {
        return ports.stream().filter(p -> port >= p.basePort() && port < p.basePort() + p.ports()).findFirst().orElseThrow();
    }

    private void out(int port, int... values) {
        PortDevice d = device(port);
        for (int v : values) {
            d.out(port - d.basePort(), 1, v, null);
        }
    }

    private int in(int port) {
        PortDevice d = device(port);
        return (int) d.in(port - d.basePort(), 1);
    }

    private int clock(int index) {
        out(0x70, index);
        return in(0x71);
    }

    private void clock(int index, int value) {
        out(0x70, index);
        out(0x71, value);
    }

    @Test
    @DisplayName("I08 8254, mode 0: channel 0 raises its line once when the count ends, mode 2: again and again, without drift")
    void modes() {
        out(0x43, 0x30);
        out(0x40, 100, 0);
        time.advanceTo(83_809);
        assertThat(raised).isEmpty();
        time.advanceTo(1_000_000);
        assertThat(raised).containsExactly("0 high at 83810", "0 low at 83810");
        raised.clear();
        out(0x43, 0x34);
        time.advanceTo(2_000_000);
        assertThat(raised).as("no count yet").isEmpty();
        out(0x40, 0xa9, 4);
        time.advanceTo(1_002_000_000);
        assertThat(raised).as("1193 ticks: 1,000.15 times a second").hasSize(2 * 1000);
        assertThat(raised.get(0)).isEqualTo("0 high at 2999848");
        assertThat(raised.get(2 * 999)).isEqualTo("0 high at 1001847467");
        out(0x43, 0x34);
        raised.clear();
        time.advanceTo(2_000_000_000);
        assertThat(raised).as("a control word stops it").isEmpty();
    }

    @Test
    @DisplayName("I08 8254: counts are read low byte first, latched, and read back with a status; half a count counts for itself")
    void reads() {
        out(0x43, 0x34);
        out(0x40, 0, 0);
        time.advanceTo(838_096);
        assertThat(in(0x40) | in(0x40) << 8).isEqualTo(65536 - 1000);
        out(0x43, 0x00);
        time.advanceTo(10 * 838_096);
        assertThat(in(0x40) | in(0x40) << 8).as("latched").isEqualTo(65536 - 1000);
        assertThat(in(0x40) | in(0x40) << 8).isEqualTo(65536 - 10_000);
        out(0x43, 0xc2);
        assertThat(in(0x40)).as("status: output high, count loaded, low then high, mode 2").isEqualTo(0xb4);
        assertThat(in(0x40) | in(0x40) << 8).isEqualTo(65536 - 10_000);
        out(0x43, 0x92, 0xe8);
        assertThat(in(0x42)).as("status: no count yet, low byte only, mode 1").isEqualTo(0xd2);
        out(0x42, 9);
        out(0x43, 0xe8);
        assertThat(in(0x42) & 0x40).isZero();
        out(0x43, 0x14);
        out(0x40, 5);
        assertThat(in(0x40)).isEqualTo(5);
    }

    @Test
    @DisplayName("I08 8254, mode 3 is half the time high; channel 2 shows at port 61H, its gate restarts it")
    void square() {
        out(0x61, 1);
        out(0x43, 0xb6);
        out(0x42, 100, 0);
        assertThat(in(0x61) & 0x21).isEqualTo(0x21);
        time.advanceTo(50 * 839);
        assertThat(in(0x61) & 0x20).isZero();
        out(0x61, 0);
        out(0x61, 1);
        assertThat(in(0x61) & 0x20).as("from the rise of the gate").isEqualTo(0x20);
        out(0x43, 0xb0);
        out(0x42, 10, 0);
        assertThat(in(0x61) & 0x20).isZero();
        time.advanceTo(60 * 839);
        assertThat(in(0x61) & 0x20).isEqualTo(0x20);
    }

    @Test
    @DisplayName("I08 real-time clock: date and time in BCD or binary, of 24 or 12 hours; it counts guest time from the year 2000")
    void date() {
        assertThat(List.of(clock(9), clock(8), clock(7), clock(0x32), clock(6))).containsExactly(0, 1, 1, 0x20, 7);
        time.advanceTo(1_000_000_000L * (13 * 3600 + 45 * 60 + 59));
        assertThat(List.of(clock(4), clock(2), clock(0))).containsExactly(0x13, 0x45, 0x59);
        clock(11, 4);
        assertThat(List.of(clock(4), clock(2), clock(0))).containsExactly(0x81, 45, 59);
        assertThat(clock(13)).isEqualTo(0x80);
        clock(0x20, 0x5a);
        assertThat(clock(0x20)).isEqualTo(0x5a);
    }

    @Test
    @DisplayName("I08 real-time clock: the periodic interrupt is a level that reading register C ends")
    void periodic() {
        clock(10, 0x2f);
        clock(11, 0x42);
        time.advanceTo(1_000_000_000);
        assertThat(raised).as("2 Hz").containsExactly("8 high at 500000000", "8 high at 1000000000");
        assertThat(clock(12)).isEqualTo(0xc0);
        assertThat(clock(12)).isZero();
        assertThat(raised).contains("8 low at 1000000000");
        clock(11, 2);
        raised.clear();
        time.advanceTo(5_000_000_000L);
        assertThat(raised).isEmpty();
    }

    @Test
    @DisplayName("I08 ACPI timer: 24 bits at 3.579545 MHz")
    void acpi() {
        PortDevice timer = device(0x608);
        time.advanceTo(1_000_000_000);
        assertThat(timer.in(0, 4)).isEqualTo(3_579_545);
        assertThat(timer.in(1, 1)).isEqualTo(3_579_545 >> 8 & 0xff);
        time.advanceTo(5_000_000_000L);
        assertThat(timer.in(0, 4)).as("it wraps").isEqualTo(5 * 3_579_545 - (1 << 24));
    }

    @Test
    @DisplayName("P10 timers that were saved in the middle of a period go on at the same times elsewhere, with latched counts and half-written ones")
    void saved() throws IOException {
        out(0x43, 0x34);
        out(0x40, 0xa9, 4);
        clock(0x0b, 0x42);
        clock(0x40, 0x5a);
        time.advanceTo(5_000_123);
        out(0x43, 0x00, 0xb0);
        out(0x42, 0x11);
        out(0x61, 1);
        TimersTest other = new TimersTest();
        other.time.advanceTo(5_000_123);
        for (int i = 0; i < ports.size(); i++) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            ((Saved) ports.get(i)).save(new DataOutputStream(bytes));
            ByteArrayInputStream in = new ByteArrayInputStream(bytes.toByteArray());
            ((Saved) other.ports.get(i)).restore(new DataInputStream(in));
            assertThat(in.available()).isZero();
        }
        raised.clear();
        for (TimersTest t : List.of(this, other)) {
            t.out(0x42, 0x22);
            t.time.advanceTo(9_000_000);
            t.raised.add("latched " + t.in(0x40) + " " + t.in(0x40) + ", counted " + t.in(0x42) + " " + t.in(0x42) + ", gate " + (t.in(0x61) & 1)
                    + ", memory " + t.clock(0x40) + ", C " + t.clock(0x0c));
            t.time.advanceTo(20_000_000);
        }
        assertThat(other.raised).isEqualTo(raised).hasSizeGreaterThan(20).anyMatch(l -> l.startsWith("8 high")).anyMatch(l -> l.startsWith("0 high"));
    }
}
