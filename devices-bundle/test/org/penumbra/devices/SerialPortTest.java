package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.Board;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.devices.descriptor.ManualTimeline;

/** The 16550 as drivers find it. */
class SerialPortTest {
    private final List<String> raised = new ArrayList<>();
    private final Board board = new Board((Interrupts) Proxy.newProxyInstance(SerialPortTest.class.getClassLoader(), new Class<?>[] {Interrupts.class},
            (proxy, method, arguments) -> {
                raised.add(arguments[0] + ((boolean) arguments[1] ? " high" : " low"));
                return null;
            }), new ManualTimeline(), 128 << 20, 1);
    private final PortSpace ports = new PortSpace(List.of(new SerialPort.Factory().create(board)), List.of());
    private final StringBuilder console = new StringBuilder();

    @Test
    @DisplayName("I09 bytes written to THR reach the console; the divisor latch does not; the transmitter is always empty")
    void transmits() {
        ports.console(b -> console.append((char) b));
        ports.out(0x3fb, 1, 0x83);
        ports.out(0x3f8, 1, 1);
        ports.out(0x3f9, 1, 0);
        assertThat(ports.in(0x3f8, 1)).as("divisor").isEqualTo(1);
        ports.out(0x3fb, 1, 0x03);
        ports.out(0x3f8, 1, 'h');
        ports.out(0x3f8, 1, 'i');
        assertThat(console).hasToString("hi");
        assertThat(ports.in(0x3fd, 1) & 0x60).isEqualTo(0x60);
        assertThat(ports.in(0x3fb, 1)).isEqualTo(3);
        ports.out(0x3ff, 1, 0x5a);
        assertThat(ports.in(0x3ff, 1)).as("scratch register, by which drivers find it").isEqualTo(0x5a);
    }

    @Test
    @DisplayName("I09 the empty transmitter interrupts when that is enabled, and with each byte, until IIR is read; OUT2 lets the line through")
    void interruptsWhenEmpty() {
        ports.out(0x3f9, 1, 2);
        assertThat(raised).as("OUT2 is 0").isEmpty();
        ports.out(0x3fc, 1, 8);
        assertThat(raised).containsExactly("4 high");
        assertThat(ports.in(0x3fa, 1)).isEqualTo(2);
        assertThat(ports.in(0x3fa, 1)).as("read once").isEqualTo(1);
        assertThat(raised).containsExactly("4 high", "4 low");
        ports.out(0x3f8, 1, 'x');
        ports.out(0x3f8, 1, 'y');
        assertThat(raised).as("an edge a byte").containsExactly("4 high", "4 low", "4 high", "4 low", "4 high");
        ports.out(0x3f9, 1, 0);
        assertThat(raised).hasSize(6);
        ports.out(0x3fa, 1, 1);
        assertThat(ports.in(0x3fa, 1)).as("nothing pending, FIFOs on").isEqualTo(0xc1);
    }

    @Test
    @DisplayName("I09 in loopback mode a byte comes back, its overrun is reported once, and the modem's lines are those that are driven")
    void loopback() {
        ports.console(b -> console.append((char) b));
        ports.out(0x3fc, 1, 0x1a);
        assertThat(ports.in(0x3fe, 1)).as("RTS, OUT2 as CTS, DCD").isEqualTo(0x90);
        ports.out(0x3f9, 1, 1);
        ports.out(0x3f8, 1, 0x41);
        assertThat(raised).containsExactly("4 high");
        assertThat(ports.in(0x3fa, 1)).isEqualTo(4);
        assertThat(ports.in(0x3fd, 1)).isEqualTo(0x61);
        assertThat(ports.in(0x3f8, 1)).isEqualTo(0x41);
        assertThat(raised).containsExactly("4 high", "4 low");
        ports.out(0x3f8, 1, 1);
        ports.out(0x3f8, 1, 2);
        assertThat(ports.in(0x3fd, 1)).isEqualTo(0x63);
        assertThat(ports.in(0x3fd, 1)).isEqualTo(0x61);
        ports.out(0x3fa, 1, 2);
        assertThat(ports.in(0x3fd, 1)).as("cleared").isEqualTo(0x60);
        assertThat(console).as("nothing leaves").isEmpty();
    }

    @Test
    @DisplayName("I09 a port that nobody has reads as ones, and so does a device without input")
    void nobody() {
        assertThat(ports.in(0x80, 1)).isEqualTo(0xff);
        assertThat(ports.in(0x80, 4)).isEqualTo(0xffff_ffffL);
        assertThat(new PortSpace(List.of(new DebugExit()), List.of()).in(DebugExit.PORT, 2)).isEqualTo(0xffff);
    }
}
