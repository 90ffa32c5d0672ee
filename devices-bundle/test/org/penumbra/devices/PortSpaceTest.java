package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.IoPorts;

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
        assertThatThrownBy(() -> new PortSpace(List.of(new DebugExit(), new DebugExit()))).hasMessageContaining("port 0xf4");
    }
}
