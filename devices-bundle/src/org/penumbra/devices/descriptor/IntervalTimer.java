package org.penumbra.devices.descriptor;

import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.interrupt.TimerDescriptor;
import org.penumbra.api.interrupt.Waiter;

/**
 * timerfd: {@code fs/timerfd.c} on a {@link Timeline} in place of hrtimers. The timeline is called under the lock, and calls
 * back without one.
 */
final class IntervalTimer implements TimerDescriptor {
    private final Timeline timeline;
    private final Object lock = new Object();
    private final WaitQueue queue = new WaitQueue();
    /** Time of the expiration that is armed or was last; 0 after disarming. */
    private long expires;
    private long interval;
    /** Expired, and not armed again yet. */
    private boolean expired;
    private long ticks;
    private Registration armed;
    /** Which arming is the valid one: an action that could not be taken back finds another number. */
    private long arming;
    private boolean closed;

    IntervalTimer(Timeline timeline) {
        this.timeline = timeline;
    }

    /** {@code do_timerfd_settime}. */
    @Override
    public Setting settime(int flags, Setting setting) {
        if ((flags & ~TFD_TIMER_ABSTIME) != 0) {
            throw new ErrnoException(ErrnoException.EINVAL, "timer flags 0x" + Integer.toHexString(flags));
        }
        if (setting.value() < 0 || setting.interval() < 0) {
            throw new ErrnoException(ErrnoException.EINVAL, "negative time in " + setting);
        }
        synchronized (lock) {
            checkOpen();
            disarm();
            long now = timeline.now();
            if (expired && interval != 0) {
                forward(now);
            }
            Setting old = new Setting(remaining(now), interval);
            expired = false;
            ticks = 0;
            interval = setting.interval();
            expires = setting.value();
            if (expires != 0) {
                if ((flags & TFD_TIMER_ABSTIME) == 0) {
                    expires = addSafe(now, expires);
                }
                arm();
            }
            return old;
        }
    }

    /** {@code do_timerfd_gettime}. */
    @Override
    public Setting gettime() {
        synchronized (lock) {
            checkOpen();
            long now = timeline.now();
            if (expired && interval != 0) {
                expired = false;
                ticks += forward(now) - 1;
                arm();
            }
            return new Setting(remaining(now), interval);
        }
    }

    @Override
    public long read() throws InterruptedException {
        synchronized (lock) {
            checkOpen();
            while (ticks == 0) {
                lock.wait();
                checkOpen();
            }
            return take();
        }
    }

    @Override
    public long tryRead() {
        synchronized (lock) {
            checkOpen();
            return ticks == 0 ? 0 : take();
        }
    }

    /** {@code timerfd_poll}. */
    @Override
    public int poll() {
        synchronized (lock) {
            return closed ? POLLNVAL : ticks != 0 ? POLLIN : 0;
        }
    }

    @Override
    public Registration addWaiter(Waiter waiter) {
        synchronized (lock) {
            checkOpen();
            WaitQueue.Entry entry = queue.add(waiter, false);
            return () -> {
                synchronized (lock) {
                    queue.remove(entry);
                }
                entry.drain();
            };
        }
    }

    @Override
    public void close() {
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            disarm();
            woken = queue.begin();
            queue.clear();
            lock.notifyAll();
        }
        WaitQueue.wake(woken, POLLHUP);
    }

    /** {@code timerfd_triggered}. */
    private void expire(long number) {
        WaitQueue.Entry[] woken;
        synchronized (lock) {
            if (number != arming) {
                return;
            }
            armed = null;
            expired = true;
            ticks++;
            lock.notifyAll();
            woken = queue.begin();
        }
        WaitQueue.wake(woken, POLLIN);
    }

    /** The end of {@code timerfd_read}. */
    private long take() {
        long n = ticks;
        if (expired && interval != 0) {
            n += forward(timeline.now()) - 1;
            arm();
        }
        expired = false;
        ticks = 0;
        return n;
    }

    private void arm() {
        long number = ++arming;
        armed = timeline.at(expires, () -> expire(number));
    }

    private void disarm() {
        arming++;
        if (armed != null) {
            armed.close();
            armed = null;
        }
    }

    private long remaining(long now) {
        return Math.max(0, expires - now);
    }

    /** {@code hrtimer_forward}: moves the expiration past {@code now} by whole intervals and says by how many. */
    private long forward(long now) {
        long delta = now - expires;
        if (delta < 0) {
            return 0;
        }
        long overruns = delta / interval;
        expires = addSafe(expires + overruns * interval, interval);
        return overruns + 1;
    }

    /** {@code ktime_add_safe}: a sum that does not fit is the end of time. */
    private static long addSafe(long a, long b) {
        long sum = a + b;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }

    private void checkOpen() {
        if (closed) {
            throw new ErrnoException(ErrnoException.EBADF, "the timer is closed");
        }
    }
}
