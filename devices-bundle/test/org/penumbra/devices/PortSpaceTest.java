package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.PortDevice;

class PortSpaceTest {
    @Test
    @DisplayName("I10 a write to port 0xf4 powers the machine off with the value written")
    void debugExit() {
        PortSpaceFactory factory = new PortSpaceFactory();
        factory.bindDevice(new DebugExit.Factory());
        IoPorts ports = factory.create();
        ports.out(0x3f8, 1, 'x');
        assertThat(ports.poweredOff()).isFalse();
        ports.out(0xf4, 1, 7);
        assertThat(ports.poweredOff()).isTrue();
        assertThat(ports.exitCode()).isEqualTo(7);
        assertThat(factory.create().poweredOff()).as("another machine").isFalse();
    }

    @Test
    @DisplayName("I10 without the device nothing answers; two claims to one port are refused with the port")
    void claims() {
        IoPorts empty = new PortSpaceFactory().create();
        empty.out(0xf4, 1, 7);
        assertThat(empty.poweredOff()).isFalse();
        assertThatThrownBy(() -> new PortSpace(List.of(new DebugExit(), new DebugExit()), List.of())).hasMessageContaining("port 0xf4");
    }

    @Test
    @DisplayName("I10 several vCPUs may write at once: a device is called by one at a time, and the first power-off counts")
    void vcpus() throws Exception {
        final class Counting implements PortDevice {
            private int count;

            @Override
            public int basePort() {
                return 0x80;
            }

            @Override
            public int ports() {
                return 1;
            }

            @Override
            public void out(int offset, int width, long value, Host host) {
                count++;
            }
        }
        Counting device = new Counting();
        IoPorts ports = new PortSpace(List.of(device, new DebugExit()), List.of());
        int writes = 200_000;
        Thread[] vcpus = new Thread[3];
        for (int n = 0; n < vcpus.length; n++) {
            vcpus[n] = new Thread(() -> {
                for (int i = 0; i < writes; i++) {
                    ports.out(0x80, 1, i);
                }
            });
            vcpus[n].start();
        }
        for (Thread t : vcpus) {
            t.join();
        }
        assertThat(device.count).isEqualTo(vcpus.length * writes);
        ports.out(0xf4, 1, 3);
        ports.out(0xf4, 1, 4);
        assertThat(ports.exitCode()).isEqualTo(3);
    }
}
