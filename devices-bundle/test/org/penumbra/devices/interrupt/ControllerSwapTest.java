package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.interrupt.ControllerState.REMOTE_IRR;
import static org.penumbra.api.interrupt.ControllerState.entry;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.InterruptController;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.interrupt.Interrupts;

class ControllerSwapTest {
    private final Board board = new Board();
    private final Interrupts irq = board.interrupts;

    /** A factory that remembers what it made, weakly. */
    private static final class Watched implements InterruptControllerFactory {
        private final List<WeakReference<InterruptController>> made = new ArrayList<>();

        @Override
        public InterruptController create(ControllerState state, InterruptController.Host host) {
            InterruptController controller = new X2Apic(state, host);
            made.add(new WeakReference<>(controller));
            return controller;
        }
    }

    private void serveAndExpect(int... vectors) {
        for (int vector : vectors) {
            assertThat(board.serve(0)).isEqualTo(vector);
        }
        assertThat(board.serve(0)).isEqualTo(-1);
    }

    @Test
    @DisplayName("I03 a swap hands on the state as a value: requested, in service and remote IRR go on under the new controller")
    void swap() {
        Watched other = new Watched();
        board.registry.bindController(other, new FakeReference("other", 100));
        assertThat(irq.controller()).as("its ranking means nothing").isEqualTo("x2apic");
        EventDescriptor level = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(level, 17, resample);
        level.signal();
        assertThat(irq.acknowledge(0)).isEqualTo(0x41);
        irq.msi(Board.address(0), 0x40);
        irq.msi(Board.address(0), 0x50);
        ControllerState before = irq.state();
        board.kicks.clear();
        irq.swapController("other");
        assertThat(irq.controller()).isEqualTo("other");
        assertThat(other.made).hasSize(1);
        assertThat(irq.state()).isEqualTo(before);
        assertThat(board.kicks).as("0x50 may be taken").containsExactly(0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x50);
        irq.endOfInterrupt(0);
        irq.endOfInterrupt(0);
        assertThat(resample.tryRead()).isEqualTo(1);
        serveAndExpect(0x40);
        assertThatThrownBy(() -> irq.swapController("none")).isInstanceOfSatisfying(ErrnoException.class, x -> {
            assertThat(x.errno()).isEqualTo(ErrnoException.ENOENT);
            assertThat(x).hasMessageContaining("other, x2apic");
        });
        assertThat(irq.controller()).isEqualTo("other");
    }

    @Test
    @DisplayName("I03 a controller that cannot be made leaves the old one in charge")
    void failing() {
        board.registry.bindController(
                (state, host) -> {
                    throw new IllegalStateException("broken");
                },
                new FakeReference("broken", 0));
        irq.msi(Board.address(0), 0x40);
        assertThatThrownBy(() -> irq.swapController("broken")).hasMessage("broken");
        assertThat(irq.controller()).isEqualTo("x2apic");
        serveAndExpect(0x40);
    }

    @Test
    @DisplayName("I03 without its controller the guest receives nothing; signals wait, each once, and come when one arrives")
    void absent() {
        EventDescriptor edge = Board.event();
        EventDescriptor message = Board.event();
        irq.routes(Map.of(5, new GsiRoute.Pin(5), 6, new GsiRoute.Pin(6), 30, new GsiRoute.Msi(Board.address(0), 0x80)));
        irq.irqfd(edge, 5, null);
        irq.irqfd(message, 30, null);
        irq.msi(Board.address(0), 0x90);
        board.registry.unbindController(board.stock);
        assertThat(irq.controllerPresent()).isFalse();
        assertThat(irq.controller()).isEqualTo("x2apic");
        assertThat(irq.pending(0)).isFalse();
        assertThat(irq.acknowledge(0)).isEqualTo(-1);
        for (int i = 0; i < 3; i++) {
            edge.signal();
            message.signal();
            irq.msi(Board.address(0), 0x81);
        }
        irq.setLine(6, true, 0);
        irq.setLine(6, false, 0);
        irq.setLine(6, true, 0);
        irq.routes(Map.of());
        assertThat(irq.pending(0)).isFalse();
        board.kicks.clear();
        board.registry.bindController(new Watched(), new FakeReference("other", 0));
        assertThat(irq.pending(0)).as("another design is not asked").isFalse();
        board.registry.bindController(new X2ApicFactory(), new FakeReference("x2apic", 0));
        assertThat(irq.controllerPresent()).isTrue();
        assertThat(board.kicks).containsExactly(0);
        serveAndExpect(0x90, 0x81, 0x80, 0x36, 0x35);
        assertThat(irq.state()).isEqualTo(ControllerState.initial(2));
    }

    @Test
    @DisplayName("I03 EOIs, levels and redirections of the time without a controller take effect when one arrives")
    void absentLevels() {
        EventDescriptor level = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(level, 17, resample);
        level.signal();
        irq.setLine(18, true, 0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x42);
        irq.setLine(20, true, 0);
        irq.redirect(20, entry(0x44, true, 0));
        board.registry.unbindController(board.stock);
        for (int i = 0; i < 5; i++) {
            irq.endOfInterrupt(0);
        }
        irq.setLine(19, true, 0);
        irq.setLine(20, false, 0);
        irq.redirect(21, entry(0x61, false, 1));
        irq.redirect(21, entry(0x62, true, 1));
        irq.setLine(21, true, 0);
        assertThat(irq.state().redirection()[18] & REMOTE_IRR).isEqualTo(REMOTE_IRR);
        board.registry.bindController(new X2ApicFactory(), new FakeReference("x2apic", 0));
        assertThat(irq.acknowledge(1)).isEqualTo(0x62);
        assertThat(irq.acknowledge(0)).isEqualTo(0x44);
        irq.endOfInterrupt(0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x43);
        irq.setLine(19, false, 0);
        irq.endOfInterrupt(0);
        assertThat(irq.acknowledge(0)).as("EOI with the line high").isEqualTo(0x42);
        irq.setLine(18, false, 0);
        irq.endOfInterrupt(0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x41);
        assertThat(resample.tryRead()).isZero();
        irq.endOfInterrupt(0);
        assertThat(resample.tryRead()).isEqualTo(1);
        assertThat(irq.pending(0)).isFalse();
    }

    @Test
    @DisplayName("I03 an EOI that came without a controller still signals the resample event")
    void absentResample() {
        EventDescriptor level = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(level, 17, resample);
        level.signal();
        irq.acknowledge(0);
        board.registry.unbindController(board.stock);
        irq.endOfInterrupt(0);
        assertThat(resample.tryRead()).isZero();
        board.registry.bindController(new X2ApicFactory(), new FakeReference("x2apic", 0));
        assertThat(resample.tryRead()).isEqualTo(1);
        assertThat(irq.state().isr()).containsOnly(0);
        assertThat(irq.state().redirection()).isEqualTo(ControllerState.initial(2).redirection());
    }

    @Test
    @DisplayName("I03 when a service goes another of its name takes over at once, and nothing refers to the old controller")
    void takeover() throws Exception {
        FakeReference better = new FakeReference("x2apic", 10);
        Watched watched = new Watched();
        board.registry.bindController(watched, better);
        assertThat(watched.made).isEmpty();
        irq.swapController("x2apic");
        assertThat(watched.made).as("the higher ranking of the name").hasSize(1);
        irq.msi(Board.address(0), 0x40);
        board.registry.unbindController(better);
        WeakReference<Watched> factory = new WeakReference<>(watched);
        WeakReference<InterruptController> controller = watched.made.get(0);
        watched = null;
        serveAndExpect(0x40);
        for (int i = 0; i < 50 && (controller.get() != null || factory.get() != null); i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertThat(controller.get()).isNull();
        assertThat(factory.get()).isNull();
    }

    @Test
    @DisplayName("I03 a machine made before its controller is there waits for it; a closed one is not asked to take one")
    void early() {
        ControllerRegistry registry = new ControllerRegistry();
        Interrupts early = registry.create(1, vcpu -> {}, "late");
        Interrupts closed = registry.create(1, vcpu -> {}, "late");
        closed.close();
        early.msi(Board.address(0), 0x40);
        Watched late = new Watched();
        registry.bindController(late, new FakeReference("late", 0));
        assertThat(late.made).hasSize(1);
        assertThat(early.acknowledge(0)).isEqualTo(0x40);
    }
}
