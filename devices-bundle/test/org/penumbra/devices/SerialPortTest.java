package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The 16550 as drivers find it. */
class SerialPortTest {
    private final PortSpace ports = new PortSpace(List.of(new SerialPort()), List.of());
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
    @DisplayName("I09 a port that nobody has reads as ones, and so does a device without input")
    void nobody() {
        assertThat(ports.in(0x80, 1)).isEqualTo(0xff);
        assertThat(ports.in(0x80, 4)).isEqualTo(0xffff_ffffL);
        assertThat(new PortSpace(List.of(new DebugExit()), List.of()).in(DebugExit.PORT, 2)).isEqualTo(0xffff);
    }
}
