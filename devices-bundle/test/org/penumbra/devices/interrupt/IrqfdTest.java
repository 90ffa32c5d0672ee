package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.interrupt.Interrupts.KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID;
import static org.penumbra.api.interrupt.Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.devices.descriptor.DescriptorService;

class IrqfdTest {
    private final Board board = new Board();
    private final Interrupts irq = board.interrupts;

    @Test
    @DisplayName("I03 one write is one interrupt, a write of 0 too; the write is read on the spot and the vCPU kicked")
    void edge() throws Exception {
        EventDescriptor e = Board.event();
        irq.irqfd(e, 5, null);
        e.write(1);
        assertThat(e.poll()).isEqualTo(EventDescriptor.POLLOUT);
        assertThat(board.kicks).containsExactly(0);
        assertThat(board.serve(0)).isEqualTo(0x35);
        e.write(1000);
        assertThat(board.serve(0)).isEqualTo(0x35);
        e.write(0);
        assertThat(board.serve(0)).isEqualTo(0x35);
        e.signal();
        assertThat(board.serve(0)).isEqualTo(0x35);
        assertThat(board.serve(0)).isEqualTo(-1);
        e.tryRead();
        assertThat(irq.pending(0)).isFalse();
    }

    @Test
    @DisplayName("I03 an event that is signalled already injects at once and keeps its count until the next signal")
    void signalledBefore() throws Exception {
        EventDescriptor e = Board.event();
        e.write(3);
        Registration r = irq.irqfd(e, 5, null);
        assertThat(board.serve(0)).isEqualTo(0x35);
        assertThat(e.poll() & EventDescriptor.POLLIN).isNotZero();
        e.write(1);
        assertThat(e.tryRead()).isZero();
        assertThat(board.serve(0)).isEqualTo(0x35);
        r.close();
        e.write(2);
        assertThat(board.serve(0)).isEqualTo(-1);
        irq.irqfd(e, 6, null).close();
        assertThat(board.serve(0)).isEqualTo(0x36);
        assertThat(e.tryRead()).as("deassign reads the counter").isZero();
    }

    @Test
    @DisplayName("I03 an event can be tied once to a machine: EBUSY, whatever the GSI; and to another machine")
    void busy() {
        EventDescriptor e = Board.event();
        Registration r = irq.irqfd(e, 5, null);
        for (int gsi : new int[] {5, 6}) {
            assertThatThrownBy(() -> irq.irqfd(e, gsi, Board.event())).isInstanceOfSatisfying(
                    ErrnoException.class, x -> assertThat(x.errno()).isEqualTo(ErrnoException.EBUSY));
        }
        r.close();
        r.close();
        irq.irqfd(e, 6, null);
        Board other = new Board();
        other.interrupts.irqfd(e, 7, null);
        e.signal();
        assertThat(board.serve(0)).isEqualTo(0x36);
        assertThat(other.serve(0)).isEqualTo(0x37);
    }

    @Test
    @DisplayName("I03 refused: GSIs beyond the table EINVAL, closed descriptors and machines EBADF; nothing stays behind")
    void refused() {
        EventDescriptor open = Board.event();
        EventDescriptor closed = Board.event();
        closed.close();
        assertThatThrownBy(() -> irq.irqfd(open, 4096, null)).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> irq.irqfd(open, -1, null)).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> irq.irqfd(open, 5, closed)).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> irq.irqfd(closed, 5, open)).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> irq.setLine(5, true, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID)).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> irq.setLine(5, true, 32)).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> irq.setLine(4096, true, 0)).hasMessageContaining("EINVAL");
        irq.irqfd(open, 5, null);
        irq.close();
        open.signal();
        assertThat(open.tryRead()).as("untied").isEqualTo(1);
        assertThat(irq.pending(0)).isFalse();
        assertThatThrownBy(() -> irq.irqfd(open, 5, null)).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> irq.swapController("x2apic")).hasMessageContaining("EBADF");
        irq.close();
    }

    @Test
    @DisplayName("I03 with resampling the line stays high until the EOI, which lowers it once and then signals every such event")
    void resample() {
        EventDescriptor a = Board.event();
        EventDescriptor b = Board.event();
        EventDescriptor resampleA = Board.event();
        EventDescriptor resampleB = Board.event();
        irq.irqfd(a, 17, resampleA);
        irq.irqfd(b, 17, resampleB);
        a.signal();
        b.signal();
        assertThat(irq.state().lines()).isEqualTo(1 << 17);
        assertThat(irq.acknowledge(0)).isEqualTo(0x41);
        assertThat(resampleA.poll() & EventDescriptor.POLLIN).isZero();
        irq.endOfInterrupt(0);
        assertThat(irq.state().lines()).isZero();
        assertThat(resampleA.tryRead()).isEqualTo(1);
        assertThat(resampleB.tryRead()).as("also of the one that did not signal").isEqualTo(1);
        assertThat(irq.pending(0)).as("two signals, one line, one interrupt").isFalse();
    }

    @Test
    @DisplayName("I03 a device that signals again from its resample event gets its next interrupt")
    void reassert() {
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        AtomicInteger work = new AtomicInteger(3);
        resample.addConsumer(events -> {
            if (work.decrementAndGet() > 0) {
                e.signal();
            }
        });
        irq.irqfd(e, 17, resample);
        e.signal();
        for (int i = 0; i < 3; i++) {
            assertThat(board.serve(0)).isEqualTo(0x41);
        }
        assertThat(board.serve(0)).isEqualTo(-1);
        assertThat(work).hasValue(0);
    }

    @Test
    @DisplayName("I03 a line is high while any source holds it: lowered for one by the EOI, it interrupts again for another")
    void sources() {
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(e, 17, resample);
        e.signal();
        irq.setLine(17, true, KVM_USERSPACE_IRQ_SOURCE_ID);
        irq.setLine(17, true, 2);
        assertThat(board.serve(0)).isEqualTo(0x41);
        assertThat(resample.tryRead()).isEqualTo(1);
        assertThat(board.serve(0)).isEqualTo(0x41);
        irq.setLine(17, false, KVM_USERSPACE_IRQ_SOURCE_ID);
        assertThat(irq.state().lines()).isEqualTo(1 << 17);
        irq.setLine(17, false, 2);
        assertThat(irq.state().lines()).isZero();
        assertThat(resample.tryRead()).as("every EOI for the pin is told").isEqualTo(1);
    }

    @Test
    @DisplayName("I03 on an edge pin too the EOI lowers the line and signals the resample event")
    void resampleEdge() {
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(e, 3, resample);
        e.signal();
        assertThat(board.serve(0)).isEqualTo(0x33);
        assertThat(resample.tryRead()).isEqualTo(1);
        e.signal();
        assertThat(board.serve(0)).isEqualTo(0x33);
    }

    @Test
    @DisplayName("I03 deassigning, and closing the event, lower a line that only this irqfd held, and free the event")
    void deassign() {
        EventDescriptor a = Board.event();
        EventDescriptor b = Board.event();
        EventDescriptor resample = Board.event();
        Registration first = irq.irqfd(a, 17, resample);
        irq.irqfd(b, 17, resample);
        a.signal();
        first.close();
        assertThat(irq.state().lines()).as("the source is shared").isEqualTo(1 << 17);
        b.close();
        assertThat(irq.state().lines()).isZero();
        assertThat(board.serve(0)).isEqualTo(0x41);
        assertThat(resample.tryRead()).as("no resampler is left").isZero();
        irq.irqfd(a, 18, null).close();
    }

    @Test
    @DisplayName("I03 in semaphore mode a write of 3 is one interrupt and leaves 2")
    void semaphore() throws Exception {
        EventDescriptor e = new DescriptorService().event(0, true);
        irq.irqfd(e, 5, null);
        e.write(3);
        assertThat(board.serve(0)).isEqualTo(0x35);
        assertThat(board.serve(0)).isEqualTo(-1);
        assertThat(e.tryRead()).isEqualTo(1);
        assertThat(e.tryRead()).isEqualTo(1);
        assertThat(e.tryRead()).isZero();
    }

    @Test
    @DisplayName("I03 routing: KVM's default, replaced as a whole; a GSI without a route interrupts nobody")
    void routing() {
        assertThat(irq.routes()).hasSize(24).containsEntry(0, new GsiRoute.Pin(0)).containsEntry(23, new GsiRoute.Pin(23));
        EventDescriptor e = Board.event();
        irq.irqfd(e, 40, null);
        e.signal();
        assertThat(irq.pending(0)).isFalse();
        irq.routes(Map.of(40, new GsiRoute.Msi(Board.address(1), 0x99)));
        e.signal();
        assertThat(board.serve(1)).isEqualTo(0x99);
        irq.routes(Map.of(40, new GsiRoute.Pin(2)));
        e.signal();
        assertThat(board.serve(0)).isEqualTo(0x32);
        assertThatThrownBy(() -> irq.routes(Map.of(4096, new GsiRoute.Pin(2)))).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> new GsiRoute.Pin(24)).hasMessageContaining("EINVAL");
        assertThat(irq.routes()).containsOnlyKeys(40);
        assertThatThrownBy(() -> irq.routes().clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    @DisplayName("I03 a line that is high moves with its GSI: the old pin falls, the new one rises; shared pins are ORed")
    void moves() {
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(e, 17, resample);
        e.signal();
        assertThat(irq.acknowledge(0)).isEqualTo(0x41);
        irq.routes(Map.of(17, new GsiRoute.Pin(20), 30, new GsiRoute.Pin(20)));
        assertThat(irq.state().lines()).isEqualTo(1 << 20);
        irq.endOfInterrupt(0);
        assertThat(resample.tryRead()).as("the pin is not its pin any more").isZero();
        irq.setLine(30, true, 0);
        assertThat(irq.acknowledge(0)).isEqualTo(0x44);
        irq.endOfInterrupt(0);
        assertThat(resample.tryRead()).isEqualTo(1);
        assertThat(irq.state().lines()).as("held by GSI 30").isEqualTo(1 << 20);
        assertThat(board.serve(0)).isEqualTo(0x44);
        irq.routes(Map.of());
        assertThat(irq.state().lines()).isZero();
    }

    @Test
    @DisplayName("I03 on an MSI route every rise of a source is a message, and nothing is resampled")
    void msiLevels() {
        irq.routes(Map.of(17, new GsiRoute.Msi(Board.address(0), 0x50)));
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        irq.irqfd(e, 17, resample);
        for (int i = 0; i < 2; i++) {
            e.signal();
            assertThat(board.serve(0)).isEqualTo(0x50);
        }
        irq.setLine(17, false, 0);
        assertThat(board.serve(0)).isEqualTo(-1);
        assertThat(resample.tryRead()).isZero();
    }

    @Test
    @DisplayName("I03 kicks and resample events come without a lock: other threads can use the machine meanwhile")
    void unlocked() throws Exception {
        AtomicInteger seen = new AtomicInteger();
        Interrupts[] machine = new Interrupts[1];
        Runnable elsewhere = () -> {
            Thread t = new Thread(() -> {
                machine[0].state();
                seen.incrementAndGet();
            });
            t.start();
            try {
                t.join(10_000);
            } catch (InterruptedException x) {
                throw new AssertionError(x);
            }
        };
        machine[0] = board.registry.create(1, vcpu -> elsewhere.run());
        EventDescriptor e = Board.event();
        EventDescriptor resample = Board.event();
        resample.addWaiter(events -> elsewhere.run());
        machine[0].irqfd(e, 17, resample);
        e.write(1);
        assertThat(seen).hasValue(1);
        machine[0].acknowledge(0);
        machine[0].endOfInterrupt(0);
        assertThat(seen).hasValue(2);
    }

    @Test
    @DisplayName("I03 a signal, its delivery and its resampling allocate nothing")
    void allocation() {
        Interrupts quiet = board.registry.create(1, vcpu -> {});
        EventDescriptor edge = Board.event();
        EventDescriptor level = Board.event();
        EventDescriptor resample = Board.event();
        quiet.irqfd(edge, 4, null);
        quiet.irqfd(level, 17, resample);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = 0;
        int rounds = 20_000;
        for (int i = 0; i < 2 * rounds; i++) {
            before = i == rounds ? threads.getCurrentThreadAllocatedBytes() : before;
            edge.tryWrite(1);
            level.signal();
            quiet.acknowledge(0);
            quiet.endOfInterrupt(0);
            quiet.acknowledge(0);
            quiet.endOfInterrupt(0);
        }
        assertThat((threads.getCurrentThreadAllocatedBytes() - before) / rounds).isZero();
        assertThat(resample.tryRead()).isEqualTo(2 * rounds);
    }

    @Test
    @DisplayName("I03 a machine with more vCPUs than a word has bits kicks the right one")
    void manyVcpus() {
        List<Integer> kicks = new ArrayList<>();
        Interrupts many = board.registry.create(255, kicks::add);
        many.msi(Board.address(200), 0x55);
        assertThat(kicks).containsExactly(200);
        assertThat(many.acknowledge(200)).isEqualTo(0x55);
    }
}
