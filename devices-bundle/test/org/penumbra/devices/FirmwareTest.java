package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.snapshot.Saved;

/** What a kernel asks where firmware would have answered. */
class FirmwareTest {
    private final IoPorts ports;

    FirmwareTest() {
        PortSpaceFactory factory = new PortSpaceFactory();
        factory.bindBoardDevice(new FirmwareConfig.Factory());
        factory.bindBoardDevice(new PowerPorts.Factory());
        ports = factory.create(new Board(null, null, 96 << 20, 3));
    }

    private long item(int key, int bytes) {
        ports.out(0x510, 2, key);
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= ports.in(0x511, 1) << 8 * i;
        }
        return value;
    }

    @Test
    @DisplayName("G02 fw_cfg: signature, memory, vCPUs; no files; zeros behind the end of an item and for keys that nothing has")
    void items() {
        assertThat(item(0, 4)).isEqualTo(0x554d_4551);
        assertThat(item(1, 4)).isEqualTo(1);
        assertThat(item(3, 8)).isEqualTo(96 << 20);
        assertThat(item(5, 4)).isEqualTo(3);
        assertThat(item(0xf, 2)).isEqualTo(3);
        assertThat(item(0x19, 4)).isZero();
        assertThat(item(0x4242, 8)).isZero();
        assertThat(ports.in(0x510, 2)).isEqualTo(0xffff);
    }

    @Test
    @DisplayName("G02 an item that is half read is read on after a snapshot")
    void saved() throws IOException {
        item(3, 3);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ((Saved) ports).save(new DataOutputStream(bytes));
        item(5, 1);
        ((Saved) ports).restore(new DataInputStream(new ByteArrayInputStream(bytes.toByteArray())));
        assertThat(ports.in(0x511, 1)).as("the highest byte of 96 MiB").isEqualTo(6);
    }

    @ParameterizedTest(name = "G02 {0}H: {3} of {1} bytes ends the machine, {2} does not")
    @CsvSource({"64,1,d1,fe", "92,1,2,3", "604,2,400,2000", "cf9,1,2,6"})
    void power(String port, int width, String harmless, String deadly) {
        int number = Integer.parseInt(port, 16);
        ports.out(number, width, Integer.parseInt(harmless, 16));
        assertThat(ports.poweredOff()).isFalse();
        ports.out(number, width, Integer.parseInt(deadly, 16));
        assertThat(ports.poweredOff()).isTrue();
        assertThat(ports.exitCode()).isZero();
    }

    @Test
    @DisplayName("G02 who waits for the keyboard controller does not wait for ever, and A20 is on")
    void status() {
        assertThat(ports.in(0x64, 1) & 3).isZero();
        assertThat(ports.in(0x92, 1) & 2).isEqualTo(2);
    }
}
