package org.penumbra.devices.descriptor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.interrupt.Descriptor.POLLERR;
import static org.penumbra.api.interrupt.Descriptor.POLLHUP;
import static org.penumbra.api.interrupt.Descriptor.POLLIN;
import static org.penumbra.api.interrupt.Descriptor.POLLNVAL;
import static org.penumbra.api.interrupt.Descriptor.POLLOUT;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;

class EventDescriptorTest {
    private static final long MOST = -2L;
    private static final long OVERFLOW = -1L;

    private static EventDescriptor event(long initial) {
        return new DescriptorService().event(initial, false);
    }

    @Test
    @DisplayName("I01 a read returns the whole counter and sets it to 0; a non-blocking read of 0 is EAGAIN")
    void reads() throws Exception {
        EventDescriptor e = event(3);
        e.write(4);
        assertThat(e.read()).isEqualTo(7);
        assertThat(e.tryRead()).isZero();
        e.write(0);
        assertThat(e.tryRead()).as("adding 0 leaves nothing to read").isZero();
    }

    @Test
    @DisplayName("I01 in semaphore mode a read returns 1 and takes 1 off")
    void semaphore() throws Exception {
        EventDescriptor e = new DescriptorService().event(2, true);
        assertThat(e.read()).isEqualTo(1);
        assertThat(e.poll()).isEqualTo(POLLIN | POLLOUT);
        assertThat(e.read()).isEqualTo(1);
        assertThat(e.tryRead()).isZero();
    }

    @Test
    @DisplayName("I01 the initial value has 32 bits")
    void initial() throws Exception {
        assertThat(event(0xffff_ffffL).read()).isEqualTo(0xffff_ffffL);
        for (long wrong : new long[] {-1, 0x1_0000_0000L}) {
            assertThatThrownBy(() -> event(wrong)).isInstanceOf(ErrnoException.class).hasMessageContaining("EINVAL");
        }
    }

    @Test
    @DisplayName("I01 write goes up to 2^64-2, unsigned; beyond it is EAGAIN, and 2^64-1 itself EINVAL")
    void limit() throws Exception {
        EventDescriptor e = event(1);
        assertThat(e.tryWrite(MOST)).as("1 + 2^64-2").isFalse();
        assertThat(e.tryWrite(MOST - 1)).isTrue();
        assertThat(e.tryWrite(1)).isFalse();
        assertThat(e.tryWrite(0)).isTrue();
        assertThatThrownBy(() -> e.write(OVERFLOW))
                .isInstanceOfSatisfying(ErrnoException.class, x -> assertThat(x.errno()).isEqualTo(ErrnoException.EINVAL));
        assertThatThrownBy(() -> e.tryWrite(OVERFLOW)).hasMessageContaining("EINVAL");
        assertThat(e.read()).isEqualTo(MOST);
    }

    @Test
    @DisplayName("I01 poll: IN above 0, OUT below 2^64-2, ERR at 2^64-1 where only a signal from the kernel side gets")
    void poll() throws Exception {
        EventDescriptor e = event(0);
        assertThat(e.poll()).isEqualTo(POLLOUT);
        e.write(MOST - 1);
        assertThat(e.poll()).as("2^64-3").isEqualTo(POLLIN | POLLOUT);
        e.write(1);
        assertThat(e.poll()).as("2^64-2").isEqualTo(POLLIN);
        assertThat(e.signal()).isEqualTo(1);
        assertThat(e.poll()).as("2^64-1").isEqualTo(POLLIN | POLLERR);
        assertThat(e.signal()).as("stays there").isZero();
        assertThat(e.tryWrite(0)).as("not even 0 fits").isFalse();
        assertThat(e.read()).isEqualTo(OVERFLOW);
        assertThat(e.poll()).isEqualTo(POLLOUT);
    }

    @Test
    @DisplayName("I01 a blocked read goes on with a write, a blocked write with the read that makes room")
    void blocks() throws Exception {
        EventDescriptor e = event(0);
        Blocked<Long> reader = new Blocked<>(e::read);
        e.write(5);
        assertThat(reader.result()).isEqualTo(5);
        e.write(MOST);
        Blocked<Boolean> writer = new Blocked<>(() -> {
            e.write(1);
            return true;
        });
        assertThat(e.read()).isEqualTo(MOST);
        assertThat(writer.result()).isTrue();
        assertThat(e.read()).isEqualTo(1);
    }

    @Test
    @DisplayName("I01 an interrupt ends waiting and changes nothing; who need not wait does not notice it")
    void interrupted() throws Exception {
        EventDescriptor e = event(0);
        Blocked<Long> reader = new Blocked<>(e::read);
        reader.thread.interrupt();
        assertThatThrownBy(reader::result).isInstanceOf(ExecutionException.class).hasCauseInstanceOf(InterruptedException.class);
        e.write(MOST);
        Blocked<Void> writer = new Blocked<>(() -> {
            e.write(1);
            return null;
        });
        writer.thread.interrupt();
        assertThatThrownBy(writer::result).hasCauseInstanceOf(InterruptedException.class);
        Thread.currentThread().interrupt();
        assertThat(e.read()).isEqualTo(MOST);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    @DisplayName("I01 waiters are called in order, IN at every write and signal, 0 included, and OUT at every read")
    void waiters() throws Exception {
        EventDescriptor e = event(0);
        List<String> calls = new ArrayList<>();
        e.addWaiter(events -> calls.add("a" + events));
        Registration b = e.addWaiter(events -> calls.add("b" + events));
        e.write(1);
        e.tryWrite(0);
        b.close();
        e.signal();
        e.tryRead();
        e.tryRead();
        assertThat(calls).containsExactly("a1", "b1", "a1", "b1", "a1", "a4");
    }

    @Test
    @DisplayName("I01 what a consumer takes nobody else sees: read with each write on its behalf, one at a time from a semaphore")
    void consumer() throws Exception {
        EventDescriptor e = event(7);
        List<Integer> calls = new ArrayList<>();
        AtomicReference<Integer> seen = new AtomicReference<>();
        Registration c = e.addConsumer(events -> {
            calls.add(events);
            seen.set(e.poll());
        });
        assertThat(e.tryRead()).as("what was there before stays").isEqualTo(7);
        e.write(5);
        assertThat(seen.get()).isEqualTo(POLLOUT);
        assertThat(e.tryRead()).isZero();
        assertThat(e.tryWrite(MOST)).as("there is room always").isTrue();
        assertThat(e.tryWrite(MOST)).isTrue();
        c.close();
        e.write(2);
        assertThat(e.read()).isEqualTo(2);
        assertThat(calls).containsExactly(POLLOUT, POLLIN, POLLIN, POLLIN);

        EventDescriptor s = new DescriptorService().event(0, true);
        Registration r = s.addConsumer(events -> {});
        s.write(3);
        assertThat(s.poll()).isEqualTo(POLLIN | POLLOUT);
        r.close();
        assertThat(s.tryRead()).as("2 were left, closing read 1").isEqualTo(1);
        assertThat(s.tryRead()).isZero();
    }

    @Test
    @DisplayName("I01 a registration's close waits for calls that have begun, and never for its own")
    void drains() throws Exception {
        EventDescriptor e = event(0);
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicBoolean left = new AtomicBoolean();
        Registration r = e.addWaiter(events -> {
            inside.countDown();
            try {
                goOn.await();
            } catch (InterruptedException x) {
                throw new AssertionError(x);
            }
            left.set(true);
        });
        Thread signaller = new Thread(e::signal);
        signaller.start();
        inside.await();
        Blocked<Boolean> closer = new Blocked<>(() -> {
            r.close();
            return left.get();
        });
        goOn.countDown();
        assertThat(closer.result()).isTrue();
        signaller.join();

        AtomicReference<Registration> own = new AtomicReference<>();
        List<Integer> calls = new ArrayList<>();
        own.set(e.addWaiter(events -> {
            calls.add(events);
            own.get().close();
        }));
        e.signal();
        e.signal();
        assertThat(calls).hasSize(1);
    }

    @Test
    @DisplayName("I01 waiters are called without a lock: another thread can use the event meanwhile")
    void unlocked() throws Exception {
        EventDescriptor e = event(0);
        AtomicReference<Long> read = new AtomicReference<>();
        e.addWaiter(events -> {
            if (events == POLLIN) {
                Thread other = new Thread(() -> read.set(e.tryRead()));
                other.start();
                try {
                    other.join(10_000);
                } catch (InterruptedException x) {
                    throw new AssertionError(x);
                }
            }
        });
        e.write(9);
        assertThat(read.get()).isEqualTo(9);
    }

    @Test
    @DisplayName("I01 one waiter that fails keeps no other from its call, and closes no gate")
    void failing() {
        EventDescriptor e = event(0);
        List<Integer> calls = new ArrayList<>();
        Registration bad = e.addWaiter(events -> {
            throw new IllegalStateException("bad");
        });
        e.addWaiter(calls::add);
        assertThatThrownBy(e::signal).hasMessage("bad");
        bad.close();
        e.signal();
        assertThat(calls).containsExactly(POLLIN, POLLIN);
    }

    @Test
    @DisplayName("I01 close wakes waiters with HUP and blocked threads with EBADF; afterwards only the kernel side goes on")
    void closes() throws Exception {
        EventDescriptor e = event(0);
        List<Integer> calls = new ArrayList<>();
        e.addWaiter(calls::add);
        Blocked<Long> reader = new Blocked<>(e::read);
        e.close();
        e.close();
        assertThatThrownBy(reader::result).hasRootCauseInstanceOf(ErrnoException.class).hasMessageContaining("EBADF");
        assertThat(calls).containsExactly(POLLHUP);
        assertThat(e.signal()).isEqualTo(1);
        assertThat(calls).hasSize(1);
        assertThat(e.poll()).isEqualTo(POLLNVAL);
        assertThatThrownBy(e::tryRead).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> e.write(1)).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> e.tryWrite(1)).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> e.addWaiter(calls::add)).hasMessageContaining("EBADF");
    }
}
