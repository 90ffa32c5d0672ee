package org.penumbra.devices.descriptor;

import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Waiter;

/**
 * eventfd: {@code fs/eventfd.c}, function by function. The lock is {@code ctx->wqh.lock} except that waiters are called after it
 * was released; what the kernel's only consumer, {@code irqfd_wakeup}, reads while it is called under that lock is read here on
 * the consumer's behalf, so that nobody sees a count that a consumer is about to take.
 */
final class EventCounter implements EventDescriptor {
    private static final long ULLONG_MAX = -1L;

    private final Object lock = new Object();
    private final WaitQueue queue = new WaitQueue();
    private final boolean semaphore;
    private long count;
    private boolean closed;

    EventCounter(long initial, boolean semaphore) {
        this.count = initial;
        this.semaphore = semaphore;
    }

    @Override
    public void write(long value) throws InterruptedException {
        while (!tryWrite(value)) {
            synchronized (lock) {
                while (!closed && !fits(value)) {
                    lock.wait();
                }
            }
        }
    }

    @Override
    public boolean tryWrite(long value) {
        checkValue(value);
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            checkOpen();
            if (!fits(value)) {
                return false;
            }
            woken = add(value);
        }
        WaitQueue.wake(woken, POLLIN);
        return true;
    }

    /** {@code eventfd_signal}. */
    @Override
    public long signal() {
        long n;
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            n = count == ULLONG_MAX ? 0 : 1;
            woken = add(n);
        }
        WaitQueue.wake(woken, POLLIN);
        return n;
    }

    @Override
    public long read() throws InterruptedException {
        long value = tryRead();
        while (value == 0) {
            synchronized (lock) {
                while (!closed && count == 0) {
                    lock.wait();
                }
            }
            value = tryRead();
        }
        return value;
    }

    @Override
    public long tryRead() {
        long value;
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            checkOpen();
            if (count == 0) {
                return 0;
            }
            value = take();
            lock.notifyAll();
            woken = queue.begin();
        }
        WaitQueue.wake(woken, POLLOUT);
        return value;
    }

    /** {@code eventfd_poll}. */
    @Override
    public int poll() {
        synchronized (lock) {
            if (closed) {
                return POLLNVAL;
            }
            return (count != 0 ? POLLIN : 0)
                    | (count == ULLONG_MAX ? POLLERR : 0)
                    | (Long.compareUnsigned(ULLONG_MAX - 1, count) > 0 ? POLLOUT : 0);
        }
    }

    @Override
    public Registration addWaiter(Waiter waiter) {
        return register(waiter, false);
    }

    @Override
    public Registration addConsumer(Waiter waiter) {
        return register(waiter, true);
    }

    private Registration register(Waiter waiter, boolean consumer) {
        synchronized (lock) {
            checkOpen();
            WaitQueue.Entry entry = queue.add(waiter, consumer);
            return () -> remove(entry, consumer);
        }
    }

    /** For a consumer {@code eventfd_ctx_remove_wait_queue}. */
    private void remove(WaitQueue.Entry entry, boolean consumer) {
        WaitQueue.Entry[] woken = null;
        synchronized (lock) {
            if (queue.remove(entry) && consumer && take() != 0) {
                lock.notifyAll();
                woken = queue.begin();
            }
        }
        if (woken != null) {
            WaitQueue.wake(woken, POLLOUT);
        }
        entry.drain();
    }

    /** {@code eventfd_release}. */
    @Override
    public void close() {
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            woken = queue.begin();
            queue.clear();
            lock.notifyAll();
        }
        WaitQueue.wake(woken, POLLHUP);
    }

    private boolean fits(long value) {
        return Long.compareUnsigned(ULLONG_MAX - count, value) > 0;
    }

    private WaitQueue.Entry[] add(long value) {
        count += value;
        for (int i = queue.consumers(); i > 0; i--) {
            take();
        }
        lock.notifyAll();
        return queue.begin();
    }

    /** {@code eventfd_ctx_do_read}. */
    private long take() {
        long value = semaphore && count != 0 ? 1 : count;
        count -= value;
        return value;
    }

    private static void checkValue(long value) {
        if (value == ULLONG_MAX) {
            throw new ErrnoException(ErrnoException.EINVAL, "2^64-1 cannot be written to an event");
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new ErrnoException(ErrnoException.EBADF, "the event is closed");
        }
    }
}
