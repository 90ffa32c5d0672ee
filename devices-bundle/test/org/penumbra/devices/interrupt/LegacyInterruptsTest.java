package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.MemoryDevice;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptTarget;
import org.penumbra.api.interrupt.Interrupts;

/** The 8259s and the I/O APIC's registers, as a guest on vCPU 0 of two finds them. */
class LegacyInterruptsTest {
    private final List<String> told = new ArrayList<>();
    private final ControllerRegistry registry = new ControllerRegistry();
    private final Interrupts interrupts;
    private final List<PortDevice> pics;

    LegacyInterruptsTest() {
        registry.bindController(new X2ApicFactory(), new FakeReference("x2apic", 0));
        interrupts = registry.create(2, new InterruptTarget() {
            @Override
            public void kick(int vcpu) {
                told.add("kick " + vcpu);
            }

            @Override
            public void nonMaskable(int vcpu) {
                told.add("NMI " + vcpu);
            }
        });
        for (int pin = 0; pin < ControllerState.PINS; pin++) {
            interrupts.redirect(pin, ControllerState.MASKED);
        }
        pics = new PicPorts.Factory().create(board()).ports();
    }

    /** The class of that name in this package is another. */
    private org.penumbra.api.device.Board board() {
        return new org.penumbra.api.device.Board(interrupts, null, 128 << 20, 1);
    }

    private void out(int port, int value) {
        PortDevice d = device(port);
        d.out(port - d.basePort(), 1, value, null);
    }

    private int in(int port) {
        PortDevice d = device(port);
        return (int) d.in(port - d.basePort(), 1);
    }

    private PortDevice device(int port) {
        return pics.stream().filter(p -> port >= p.basePort() && port < p.basePort() + p.ports()).findFirst().orElseThrow();
    }

    private void initialize(int word4) {
        for (int chip : new int[] {0x20, 0xa0}) {
            out(chip, 0x11);
            out(chip + 1, chip == 0x20 ? 0x20 : 0x28);
            out(chip + 1, chip == 0x20 ? 4 : 2);
            out(chip + 1, word4);
        }
    }

    private void line(int irq, boolean high) {
        interrupts.setLine(irq, high, 0);
    }

    private void pulse(int irq) {
        line(irq, true);
        line(irq, false);
    }

    /** The vector that vCPU 0 takes; −1 for none. */
    private int take() {
        return interrupts.pending(0) ? interrupts.acknowledge(0) : -1;
    }

    @Test
    @DisplayName("I05 as firmware leaves them the 8259s are masked; initialized they are open, and an edge is one interrupt")
    void edge() {
        pulse(3);
        assertThat(take()).isEqualTo(-1);
        initialize(1);
        assertThat(take()).as("initialization forgets requests").isEqualTo(-1);
        pulse(3);
        assertThat(told).containsOnly("kick 0");
        assertThat(take()).isEqualTo(0x23);
        assertThat(take()).isEqualTo(-1);
        out(0x20, 0x20);
        line(3, true);
        assertThat(take()).isEqualTo(0x23);
        out(0x20, 0x20);
        assertThat(take()).as("a level is no further edge").isEqualTo(-1);
    }

    @Test
    @DisplayName("I05 priorities: the lower number first, nested only above what is in service, the second 8259 at input 2")
    void priorities() {
        initialize(1);
        pulse(4);
        pulse(12);
        pulse(1);
        assertThat(take()).isEqualTo(0x21);
        assertThat(take()).as("1 is in service").isEqualTo(-1);
        out(0x20, 0x20);
        assertThat(take()).as("by input 2").isEqualTo(0x2c);
        pulse(0);
        assertThat(take()).as("0 is above 2").isEqualTo(0x20);
        out(0x20, 0x0b);
        assertThat(in(0x20)).as("in service").isEqualTo(5);
        out(0xa0, 0x0b);
        assertThat(in(0xa0)).isEqualTo(0x10);
        out(0x20, 0x0a);
        assertThat(in(0x20)).as("requested").isEqualTo(0x10);
        out(0x20, 0x60);
        out(0xa0, 0x20);
        out(0x20, 0x20);
        assertThat(take()).isEqualTo(0x24);
    }

    @Test
    @DisplayName("I05 masked inputs keep their request; rotation, automatic EOI, special mask mode, poll")
    void commands() {
        initialize(1);
        out(0x21, 0xf0);
        pulse(5);
        assertThat(take()).isEqualTo(-1);
        assertThat(in(0x21)).isEqualTo(0xf0);
        out(0x21, 0);
        assertThat(take()).isEqualTo(0x25);
        out(0x20, 0xa0);
        pulse(4);
        pulse(6);
        assertThat(take()).as("after the rotating EOI 6 is the highest").isEqualTo(0x26);
        out(0x21, 0x40);
        assertThat(take()).as("4 waits for the EOI of 6").isEqualTo(-1);
        assertThat(in(0x20)).isEqualTo(0x10);
        out(0x20, 0x68);
        assertThat(take()).as("in special mask mode a masked level holds nothing back").isEqualTo(0x24);
        initialize(3);
        pulse(4);
        pulse(4);
        assertThat(take()).isEqualTo(0x24);
        pulse(4);
        assertThat(take()).as("automatic EOI").isEqualTo(0x24);
        pulse(7);
        out(0x20, 0x0c);
        assertThat(in(0x20)).as("poll").isEqualTo(0x87);
        assertThat(take()).isEqualTo(-1);
    }

    @Test
    @DisplayName("I05 a level-triggered input requests as long as it is high; what has gone before INTA is spurious: vector of input 7")
    void level() {
        initialize(1);
        out(0x4d0, 0xff);
        out(0x4d1, 0xff);
        assertThat(in(0x4d0)).as("0, 1 and 2 are edges").isEqualTo(0xf8);
        assertThat(in(0x4d1)).as("8 and 13 are edges").isEqualTo(0xde);
        line(5, true);
        assertThat(take()).isEqualTo(0x25);
        out(0x20, 0x20);
        assertThat(take()).isEqualTo(0x25);
        out(0x20, 0x20);
        line(5, false);
        assertThat(take()).isEqualTo(-1);
        line(10, true);
        line(10, false);
        assertThat(take()).as("the second's input 7; the first's edge stays").isEqualTo(0x2f);
        out(0xa0, 0x0b);
        assertThat(in(0xa0)).as("nothing is in service").isZero();
    }

    @Test
    @DisplayName("I05 with LINT0 closed nothing is heard; opened, what waits is; other vCPUs never hear it; a swap of controllers loses nothing")
    void gate() {
        initialize(1);
        interrupts.external(0, false);
        pulse(3);
        assertThat(take()).isEqualTo(-1);
        interrupts.external(0, true);
        assertThat(interrupts.pending(1)).isFalse();
        registry.bindController(new X2ApicFactory(), new FakeReference("other", 0));
        interrupts.swapController("other");
        assertThat(take()).isEqualTo(0x23);
    }

    @Test
    @DisplayName("I07 a vector whose class is not above the task priority's waits, of its vCPU alone; the 8259s know no task priority")
    void priority() {
        initialize(1);
        interrupts.priority(0, 0x50);
        interrupts.msi(0xfee0_0000L, 0x5f);
        interrupts.msi(0xfee0_1000L, 0x5f);
        assertThat(interrupts.pending(0)).isFalse();
        assertThat(interrupts.acknowledge(0)).isEqualTo(-1);
        assertThat(interrupts.acknowledge(1)).isEqualTo(0x5f);
        pulse(3);
        assertThat(take()).isEqualTo(0x23);
        interrupts.msi(0xfee0_0000L, 0x60);
        assertThat(take()).isEqualTo(0x60);
        interrupts.endOfInterrupt(0);
        assertThat(take()).isEqualTo(-1);
        interrupts.priority(0, 0x4f);
        assertThat(take()).isEqualTo(0x5f);
    }

    @Test
    @DisplayName("I06 IOREGSEL and IOWIN: identification, version, redirection entries by halves, which the controller obeys")
    void ioApic() {
        MemoryDevice apic = new IoApic.Factory().create(board()).memory().get(0);
        assertThat(apic.base()).isEqualTo(0xfec0_0000L);
        apic.store(0, 4, 1);
        assertThat(apic.load(0, 4)).isEqualTo(1);
        assertThat(apic.load(0x10, 4)).isEqualTo(0x0017_0011);
        apic.store(0, 4, 0);
        apic.store(0x10, 4, 0x0500_0000);
        assertThat(apic.load(0x10, 4)).isEqualTo(0x0500_0000);
        apic.store(0, 4, 0x11 + 2 * 9);
        apic.store(0x10, 4, 1 << 24);
        apic.store(0, 4, 0x10 + 2 * 9);
        apic.store(0x10, 4, 0x8051);
        assertThat(interrupts.state().redirection()[9]).isEqualTo(1L << 56 | 0x8051);
        line(9, true);
        assertThat(interrupts.acknowledge(1)).isEqualTo(0x51);
        assertThat(apic.load(0x10, 4)).as("remote IRR").isEqualTo(0xc051);
        line(9, false);
        interrupts.endOfInterrupt(1);
        assertThat(apic.load(0x10, 4)).isEqualTo(0x8051);
        apic.store(0, 4, 0x10 + 2 * 24);
        assertThat(apic.load(0x10, 4)).as("there is no entry 24").isEqualTo(0xffff_ffffL);
    }

    @Test
    @DisplayName("I06 a message and a redirection entry of delivery mode NMI reach their vCPU, whatever their vector, and need no EOI")
    void nonMaskable() {
        interrupts.msi(0xfee0_1000L, 0x400);
        interrupts.redirect(20, 1L << 56 | 0x8400);
        line(20, true);
        interrupts.msi(0xfeef_f000L, 0x400);
        assertThat(told).containsExactly("NMI 1", "NMI 1", "NMI 0", "NMI 1");
        assertThat(interrupts.state().redirection()[20] & ControllerState.REMOTE_IRR).isZero();
        assertThat(interrupts.pending(1)).isFalse();
    }
}
