package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/**
 * An event counter with the rules of eventfd(2). Safe for any thread.
 *
 * <pre>
 *  counter          poll                 how it comes about
 *  0                OUT                  initial value, or read
 *  1 … 2^64−3       IN OUT
 *  2^64−2           IN                   the most that write leaves behind
 *  2^64−1           IN ERR               overflow: only signal() goes there
 * </pre>
 *
 * {@link #read} returns the counter and sets it to 0, or in semaphore mode returns 1 and takes 1 off. Threads and waiters are
 * woken with {@code POLLIN} by every write, one of 0 included, and with {@code POLLOUT} by every read.
 */
@ProviderType
public interface EventDescriptor extends Descriptor {
    /**
     * Adds {@code value} (unsigned), as soon as the sum is at most 2^64−2.
     *
     * @throws InterruptedException if the thread was interrupted while it waited; nothing was added
     * @throws ErrnoException EINVAL if {@code value} is 2^64−1, EBADF if the descriptor is closed
     */
    void write(long value) throws InterruptedException;

    /**
     * Adds {@code value} (unsigned) if the sum is at most 2^64−2; false stands for EAGAIN.
     *
     * @throws ErrnoException EINVAL if {@code value} is 2^64−1, EBADF if the descriptor is closed
     */
    boolean tryWrite(long value);

    /**
     * Adds 1, as the kernel side does ({@code eventfd_signal}): never blocks, and stays at 2^64−1 once it got there. Works on a
     * closed descriptor too, whose counter nobody can read any more, as for a holder of a reference in the kernel.
     *
     * @return the amount added, 0 or 1
     */
    long signal();

    /**
     * Like {@link #addWaiter}, for a waiter that takes what it is woken for: in one step with each write or signal the counter
     * is read on its behalf ({@code eventfd_ctx_do_read} in {@code irqfd_wakeup}), before the waiter is called and without a
     * {@code POLLOUT}. Closing the registration reads the counter a last time ({@code eventfd_ctx_remove_wait_queue}).
     *
     * @throws ErrnoException EBADF if the descriptor is closed
     */
    Registration addConsumer(Waiter waiter);
}
