package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.interrupt.ControllerState.LEVEL_TRIGGERED;
import static org.penumbra.api.interrupt.ControllerState.MASKED;
import static org.penumbra.api.interrupt.ControllerState.REMOTE_IRR;
import static org.penumbra.api.interrupt.ControllerState.entry;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;
import org.penumbra.api.interrupt.Interrupts;

class X2ApicTest {
    private final Board board = new Board();
    private final Interrupts irq = board.interrupts;

    private void send(int vcpu, int data) {
        irq.msi(Board.address(vcpu), data);
    }

    private void line(int gsi, boolean high) {
        irq.setLine(gsi, high, Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID);
    }

    @Test
    @DisplayName("I03 an interrupt is taken only if its class, vector / 16, is above that of the highest in service")
    void priority() {
        send(0, 0x41);
        assertThat(irq.pending(0)).isTrue();
        assertThat(irq.pending(1)).isFalse();
        assertThat(irq.acknowledge(0)).isEqualTo(0x41);
        send(0, 0x4f);
        assertThat(irq.pending(0)).as("same class").isFalse();
        assertThat(irq.acknowledge(0)).isEqualTo(-1);
        send(0, 0x50);
        send(0, 0xff);
        assertThat(irq.pending(0)).isTrue();
        assertThat(irq.acknowledge(0)).isEqualTo(0xff);
        assertThat(irq.acknowledge(0)).isEqualTo(-1);
        irq.endOfInterrupt(0);
        assertThat(irq.pending(0)).isTrue();
        assertThat(irq.acknowledge(0)).isEqualTo(0x50);
        irq.endOfInterrupt(0);
        assertThat(irq.pending(0)).as("0x41 is still in service").isFalse();
        irq.endOfInterrupt(0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x4f);
        irq.endOfInterrupt(0);
        irq.endOfInterrupt(0);
        assertThat(irq.state()).isEqualTo(ControllerState.initial(2));
    }

    @Test
    @DisplayName("I03 logical destinations: flat, in clusters, of x2APICs; nobody before software has named itself; lowest priority is for one")
    void logicalDestinations() {
        irq.msi(0xfee0_3004L, 0x41);
        assertThat(irq.pending(0) || irq.pending(1)).isFalse();
        irq.logicalId(0, 1 << 24, Interrupts.FLAT);
        irq.logicalId(1, 2 << 24, Interrupts.FLAT);
        irq.msi(0xfee0_2004L, 0x41);
        assertThat(board.serve(0)).isEqualTo(-1);
        assertThat(board.serve(1)).isEqualTo(0x41);
        irq.msi(0xfee0_3004L, 0x142);
        assertThat(board.serve(0)).isEqualTo(0x42);
        assertThat(board.serve(1)).isEqualTo(-1);
        irq.logicalId(0, 0x31 << 24, Interrupts.CLUSTERS);
        irq.logicalId(1, 0x32 << 24, Interrupts.CLUSTERS);
        irq.msi(0xfee3_2004L, 0x43);
        irq.msi(0xfee2_3004L, 0x44);
        assertThat(board.serve(0)).isEqualTo(-1);
        assertThat(board.serve(1)).isEqualTo(0x43);
        irq.logicalId(1, 2, Interrupts.X2APIC);
        irq.redirect(4, 2L << 56 | 1 << 11 | LEVEL_TRIGGERED | 0x45);
        line(4, true);
        assertThat(irq.acknowledge(1)).isEqualTo(0x45);
        line(4, false);
        irq.endOfInterrupt(1);
        assertThat(irq.state().redirection()[4] & REMOTE_IRR).isZero();
        assertThat(board.serve(1)).isEqualTo(-1);
    }

    @Test
    @DisplayName("I03 requests of one vector fall together; one that comes while the vector is in service is kept")
    void coalescing() {
        send(1, 0x60);
        send(1, 0x60);
        assertThat(irq.acknowledge(1)).isEqualTo(0x60);
        send(1, 0x60);
        irq.endOfInterrupt(1);
        assertThat(board.serve(1)).isEqualTo(0x60);
        assertThat(board.serve(1)).isEqualTo(-1);
    }

    @Test
    @DisplayName("I03 messages: physical and fixed only, 0xff to all, illegal vectors and absent vCPUs to nobody")
    void messages() {
        irq.msi(0xfeef_f000L, 0x70);
        assertThat(board.serve(0)).isEqualTo(0x70);
        assertThat(board.serve(1)).isEqualTo(0x70);
        send(0, 0x0f);
        send(2, 0x70);
        irq.msi(0xfed0_0000L, 0x70);
        irq.msi(0x1_fee0_0000L, 0x70);
        irq.msi(Board.address(0) | 1 << 2, 0x70);
        send(0, 0x400 | 0x70);
        send(0, 1 << 15 | 0x70);
        assertThat(irq.pending(0)).isFalse();
        assertThat(irq.state().irr()).containsOnly(0);
        send(0, 0x10);
        assertThat(board.serve(0)).as("the lowest that is legal").isEqualTo(0x10);
        send(0, 3 << 14 | 0x71);
        assertThat(irq.state().tmr()[1]).as("level is in the TMR").isEqualTo(1L << 0x31);
        send(0, 0x71);
        assertThat(irq.state().tmr()[1]).isZero();
    }

    @Test
    @DisplayName("I03 an edge pin delivers at the rise; masked, the edge is lost")
    void edge() {
        line(4, true);
        assertThat(board.serve(0)).isEqualTo(0x34);
        assertThat(board.serve(0)).isEqualTo(-1);
        line(4, true);
        assertThat(board.serve(0)).isEqualTo(-1);
        line(4, false);
        irq.redirect(4, entry(0x34, false, 1) | MASKED);
        line(4, true);
        irq.redirect(4, entry(0x34, false, 1));
        assertThat(board.serve(1)).isEqualTo(-1);
        line(4, false);
        line(4, true);
        assertThat(board.serve(1)).isEqualTo(0x34);
    }

    @Test
    @DisplayName("I03 a level pin delivers, sets its remote IRR, and delivers again at EOI while its line is high")
    void level() {
        long idle = entry(0x42, true, 0);
        line(18, true);
        assertThat(irq.state().redirection()[18]).isEqualTo(idle | REMOTE_IRR);
        assertThat(irq.acknowledge(0)).isEqualTo(0x42);
        line(18, false);
        line(18, true);
        assertThat(irq.state().irr()).as("not before the EOI").containsOnly(0);
        irq.endOfInterrupt(0);
        assertThat(irq.pending(0)).isTrue();
        assertThat(irq.acknowledge(0)).isEqualTo(0x42);
        line(18, false);
        irq.endOfInterrupt(0);
        assertThat(irq.pending(0)).isFalse();
        assertThat(irq.state().redirection()[18]).isEqualTo(idle);
    }

    @Test
    @DisplayName("I03 a masked level pin delivers when it is opened with its line high; remote IRR is read only, edge clears it")
    void redirection() {
        irq.redirect(18, entry(0x42, true, 1) | MASKED);
        line(18, true);
        assertThat(irq.pending(1)).isFalse();
        irq.redirect(18, entry(0x42, true, 1) | REMOTE_IRR);
        assertThat(irq.acknowledge(1)).isEqualTo(0x42);
        irq.redirect(18, entry(0x43, true, 1));
        assertThat(irq.state().redirection()[18] & REMOTE_IRR).as("kept").isEqualTo(REMOTE_IRR);
        irq.endOfInterrupt(1);
        assertThat(irq.pending(1)).as("the EOI was for another vector").isFalse();
        irq.redirect(18, entry(0x43, true, 1) & ~LEVEL_TRIGGERED);
        irq.redirect(18, entry(0x43, true, 1));
        assertThat(board.serve(1)).isEqualTo(0x43);
        assertThatThrownBy(() -> irq.redirect(24, 0)).hasMessageContaining("EINVAL");
        irq.redirect(0, -1);
        assertThat(irq.state().redirection()[0]).as("reserved bits").isEqualTo(0xff00_0000_0001_afffL);
    }

    @Test
    @DisplayName("I03 an EOI of an edge interrupt leaves the remote IRR of a level pin with its vector")
    void edgeEoi() {
        line(18, true);
        assertThat(irq.acknowledge(0)).isEqualTo(0x42);
        send(1, 0x42);
        board.serve(1);
        assertThat(irq.state().redirection()[18] & REMOTE_IRR).isEqualTo(REMOTE_IRR);
        irq.endOfInterrupt(0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x42);
    }

    @Test
    @DisplayName("I03 a state is a value: equal by content, and apart from the arrays it was made of")
    void value() {
        line(18, true);
        ControllerState state = irq.state();
        state.irr()[0] = 1;
        assertThat(irq.state()).isEqualTo(state).hasSameHashCodeAs(state).isNotEqualTo(ControllerState.initial(2));
        CountingHost hosts = new CountingHost();
        assertThat(new X2Apic(state, hosts).state()).isEqualTo(state);
        assertThat(hosts.calls).isZero();
        assertThatThrownBy(() -> ControllerState.initial(256)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ControllerState.initial(0)).isInstanceOf(IllegalArgumentException.class);
    }

    /** A host that counts. */
    private static final class CountingHost implements InterruptController.Host {
        private int calls;

        @Override
        public void delivered(int vcpu) {
            calls++;
        }

        @Override
        public boolean acked(int pin) {
            calls++;
            return false;
        }
    }
}
