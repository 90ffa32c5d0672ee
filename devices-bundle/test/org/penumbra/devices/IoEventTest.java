package org.penumbra.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPorts.Bus;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.devices.descriptor.DescriptorService;

class IoEventTest {
    private final IoPorts io = new PortSpaceFactory().create();

    private static EventDescriptor event() {
        return new DescriptorService().event(0, false);
    }

    private void refused(int errno, Runnable registration) {
        assertThatThrownBy(registration::run)
                .isInstanceOfSatisfying(ErrnoException.class, x -> assertThat(x.errno()).isEqualTo(errno));
    }

    @Test
    @DisplayName("I04 a write matches by bus, address and length, all exact, and adds 1 to the event")
    void exact() {
        EventDescriptor e = event();
        Registration r = io.ioeventfd(Bus.MMIO, 0xfe00_1000L, 4, e);
        assertThat(io.signal(Bus.MMIO, 0xfe00_1000L, 4, 77)).isTrue();
        assertThat(io.signal(Bus.MMIO, 0xfe00_1000L, 4, 0)).isTrue();
        assertThat(e.tryRead()).as("the value written means nothing").isEqualTo(2);
        assertThat(io.signal(Bus.PORT, 0xfe00_1000L, 4, 77)).isFalse();
        for (int width : new int[] {1, 2, 8}) {
            assertThat(io.signal(Bus.MMIO, 0xfe00_1000L, width, 77)).isFalse();
        }
        assertThat(io.signal(Bus.MMIO, 0xfe00_0ffeL, 4, 77)).as("covers the address").isFalse();
        assertThat(io.signal(Bus.MMIO, 0xfe00_1001L, 4, 77)).isFalse();
        r.close();
        r.close();
        assertThat(io.signal(Bus.MMIO, 0xfe00_1000L, 4, 77)).isFalse();
        assertThat(e.tryRead()).isZero();
    }

    @Test
    @DisplayName("I04 datamatch compares as many bytes as were written, unsigned")
    void datamatch() {
        EventDescriptor one = event();
        EventDescriptor ones = event();
        EventDescriptor never = event();
        io.ioeventfd(Bus.PORT, 0xc050, 2, 1, one);
        io.ioeventfd(Bus.PORT, 0xc050, 2, 0xffff, ones);
        io.ioeventfd(Bus.PORT, 0xc050, 2, 0x1_0002, never);
        assertThat(io.signal(Bus.PORT, 0xc050, 2, 1)).isTrue();
        assertThat(io.signal(Bus.PORT, 0xc050, 2, -1)).as("what is beyond the width does not count").isTrue();
        assertThat(io.signal(Bus.PORT, 0xc050, 2, 0x1_0002)).isFalse();
        assertThat(io.signal(Bus.PORT, 0xc050, 4, 1)).isFalse();
        assertThat(List.of(one.tryRead(), ones.tryRead(), never.tryRead())).containsExactly(1L, 1L, 0L);
        EventDescriptor wide = event();
        io.ioeventfd(Bus.MMIO, -8L >>> 1, 8, -1, wide);
        assertThat(io.signal(Bus.MMIO, -8L >>> 1, 8, -1)).isTrue();
        assertThat(wide.tryRead()).isEqualTo(1);
    }

    @Test
    @DisplayName("I04 length 0 matches a write of any length, at the address only")
    void anyLength() {
        EventDescriptor e = event();
        io.ioeventfd(Bus.MMIO, 0x1000, 0, e);
        for (int width : new int[] {1, 2, 4, 8}) {
            assertThat(io.signal(Bus.MMIO, 0x1000, width, 5)).isTrue();
        }
        assertThat(e.tryRead()).isEqualTo(4);
        assertThat(io.signal(Bus.MMIO, 0x0fff, 2, 5)).isFalse();
    }

    @Test
    @DisplayName("I04 EEXIST when one write could match both; different values, lengths, addresses and buses live together")
    void collisions() {
        io.ioeventfd(Bus.PORT, 0x10, 4, 1, event());
        io.ioeventfd(Bus.PORT, 0x10, 4, 2, event());
        io.ioeventfd(Bus.PORT, 0x10, 2, event());
        io.ioeventfd(Bus.PORT, 0x11, 4, event());
        io.ioeventfd(Bus.MMIO, 0x10, 4, event());
        refused(ErrnoException.EEXIST, () -> io.ioeventfd(Bus.PORT, 0x10, 4, 2, event()));
        refused(ErrnoException.EEXIST, () -> io.ioeventfd(Bus.PORT, 0x10, 4, event()));
        refused(ErrnoException.EEXIST, () -> io.ioeventfd(Bus.PORT, 0x10, 2, 3, event()));
        refused(ErrnoException.EEXIST, () -> io.ioeventfd(Bus.PORT, 0x10, 0, event()));
        Registration any = io.ioeventfd(Bus.PORT, 0x20, 0, event());
        refused(ErrnoException.EEXIST, () -> io.ioeventfd(Bus.PORT, 0x20, 8, 3, event()));
        any.close();
        io.ioeventfd(Bus.PORT, 0x20, 8, 3, event());
    }

    @Test
    @DisplayName("I04 EINVAL for other lengths, for a value without a length and beyond the last address; EBADF when closed")
    void refused() {
        for (int length : new int[] {-1, 3, 5, 16}) {
            refused(ErrnoException.EINVAL, () -> io.ioeventfd(Bus.MMIO, 0, length, event()));
        }
        refused(ErrnoException.EINVAL, () -> io.ioeventfd(Bus.MMIO, 0, 0, 1, event()));
        refused(ErrnoException.EINVAL, () -> io.ioeventfd(Bus.MMIO, -8, 8, event()));
        io.ioeventfd(Bus.MMIO, -9, 8, event());
        io.ioeventfd(Bus.MMIO, Long.MAX_VALUE, 8, event());
        io.ioeventfd(Bus.MMIO, 1, 8, event());
        assertThat(io.signal(Bus.MMIO, -9, 8, 0)).as("addresses are unsigned").isTrue();
        assertThat(io.signal(Bus.MMIO, 1, 8, 0)).isTrue();
        EventDescriptor closed = event();
        closed.close();
        refused(ErrnoException.EBADF, () -> io.ioeventfd(Bus.MMIO, 0x100, 4, closed));
        assertThat(io.signal(Bus.MMIO, 0x100, 4, 0)).isFalse();
    }

    @Test
    @DisplayName("I04 the event may overflow and may be closed later: the write is done all the same")
    void absorbed() {
        EventDescriptor e = event();
        io.ioeventfd(Bus.PORT, 0x10, 1, e);
        e.tryWrite(-2);
        assertThat(io.signal(Bus.PORT, 0x10, 1, 0)).isTrue();
        assertThat(io.signal(Bus.PORT, 0x10, 1, 0)).isTrue();
        assertThat(e.tryRead()).isEqualTo(-1);
        e.close();
        assertThat(io.signal(Bus.PORT, 0x10, 1, 0)).isTrue();
    }

    @Test
    @DisplayName("I04 taking one back waits for a write that is signalling it")
    void drains() throws Exception {
        EventDescriptor e = event();
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicBoolean signalled = new AtomicBoolean();
        e.addWaiter(events -> {
            inside.countDown();
            try {
                goOn.await();
            } catch (InterruptedException x) {
                throw new AssertionError(x);
            }
            signalled.set(true);
        });
        Registration r = io.ioeventfd(Bus.PORT, 0x10, 1, e);
        Thread guest = new Thread(() -> io.signal(Bus.PORT, 0x10, 1, 0));
        guest.start();
        inside.await();
        AtomicBoolean late = new AtomicBoolean();
        Thread closer = new Thread(() -> {
            r.close();
            late.set(signalled.get());
        });
        closer.start();
        while (closer.getState() != Thread.State.WAITING && closer.isAlive()) {
            Thread.sleep(1);
        }
        goOn.countDown();
        closer.join();
        guest.join();
        assertThat(late).isTrue();
    }
}
