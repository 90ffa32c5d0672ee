package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/**
 * What event and timer descriptors have in common: a 64-bit number that is read, poll(2), and a wait queue. Safe for any thread.
 *
 * <p>Where read(2) on a descriptor with {@code O_NONBLOCK} fails with EAGAIN, {@link #tryRead} answers 0, which no successful
 * read does; EINTR is {@link InterruptedException}, thrown only by a thread that had to wait.
 */
@ProviderType
public interface Descriptor extends AutoCloseable {
    /** There is something to read. */
    int POLLIN = 0x001;
    /** A write of 1 would not block. */
    int POLLOUT = 0x004;
    /** The counter has overflowed. */
    int POLLERR = 0x008;
    /** The descriptor is being closed. */
    int POLLHUP = 0x010;
    /** The descriptor is closed. */
    int POLLNVAL = 0x020;

    /**
     * Reads as soon as there is something to read. Numbers are unsigned.
     *
     * @throws InterruptedException if the thread was interrupted while it waited; nothing was read
     * @throws ErrnoException EBADF if the descriptor is closed or is closed meanwhile
     */
    long read() throws InterruptedException;

    /**
     * Reads if there is something to read; 0 stands for EAGAIN.
     *
     * @throws ErrnoException EBADF if the descriptor is closed
     */
    long tryRead();

    /** The {@code POLL} bits that hold now; {@link #POLLNVAL} after close. */
    int poll();

    /**
     * Has {@code waiter} called at every wake-up from now on, in order of registration. As with poll(2), what held before is
     * seen by a {@link #poll} that follows.
     *
     * @throws ErrnoException EBADF if the descriptor is closed
     */
    Registration addWaiter(Waiter waiter);

    /** Closes the descriptor: waiters are called a last time, with {@link #POLLHUP}, and threads that block get EBADF. */
    @Override
    void close();
}
