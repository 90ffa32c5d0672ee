package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/** Makes descriptors. A service; any thread. What it made keeps no reference to it. */
@ProviderType
public interface Descriptors {
    /**
     * An event descriptor: eventfd(2), {@code EFD_SEMAPHORE} if {@code semaphore}. Whether a call blocks is the caller's choice
     * at each call, in place of {@code EFD_NONBLOCK}.
     *
     * @param initial first value of the counter, 0 to 2^32−1, as for the system call
     * @throws ErrnoException EINVAL if {@code initial} is outside
     */
    EventDescriptor event(long initial, boolean semaphore);

    /** A disarmed timer on {@code timeline}: timerfd_create(2). */
    TimerDescriptor timer(Timeline timeline);
}
