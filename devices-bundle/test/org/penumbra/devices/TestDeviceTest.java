package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.interrupt.Interrupts;

class TestDeviceTest {
    private final List<String> lines = new ArrayList<>();
    private final Board board = new Board((Interrupts) Proxy.newProxyInstance(TestDeviceTest.class.getClassLoader(), new Class<?>[] {Interrupts.class},
            (proxy, method, arguments) -> {
                lines.add(arguments[0] + " " + arguments[1]);
                return null;
            }), null, 64 << 20, 2);
    private final PortSpaceFactory factory = new PortSpaceFactory();
    private final IoPorts ports;

    TestDeviceTest() {
        factory.bindBoardDevice(new TestDevice.Factory());
        ports = factory.create(board);
    }

    @Test
    @DisplayName("I10 the test device raises and lowers lines, and keeps what is written at ports and in memory")
    void device() {
        ports.out(0x2003, 1, 1);
        ports.out(0x2003, 1, 0);
        ports.out(0x2017, 4, 0x100);
        assertThat(lines).containsExactly("3 true", "3 false", "23 true");
        ports.out(0xe0, 4, 0x1234_5678);
        ports.out(0xe1, 1, 0xab);
        assertThat(ports.in(0xe0, 4)).isEqualTo(0x1234_ab78);
        assertThat(ports.in(0xe2, 2)).isEqualTo(0x1234);
        assertThat(ports.holds(0xfeff_ffffL)).isFalse();
        assertThat(ports.holds(0xff00_0000L)).isTrue();
        assertThat(ports.holds(0xff01_0000L)).isFalse();
        ports.store(0xff00_0004L, 8, 0x1122_3344_5566_7788L);
        assertThat(ports.load(0xff00_0006L, 4)).isEqualTo(0x3344_5566L);
        ports.store(0xff00_ffffL, 2, 0xabcd);
        assertThat(ports.load(0xff00_ffffL, 1)).isEqualTo(0xcd);
    }

    @Test
    @DisplayName("I10 without a board there are no such devices; two that claim one address are refused with it")
    void claims() {
        assertThat(factory.create().in(0xe0, 1)).isEqualTo(0xff);
        assertThat(factory.create().holds(0xff00_0000L)).isFalse();
        factory.bindBoardDevice(b -> new org.penumbra.api.device.BoardDeviceFactory.Device(List.of(), new TestDevice.Factory().create(b).memory()));
        assertThatThrownBy(() -> factory.create(board)).hasMessageContaining("address 0xff000000");
    }
}
