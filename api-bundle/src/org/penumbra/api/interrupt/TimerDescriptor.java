package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/**
 * A timer with the rules of timerfd_create(2), in the units of its {@link Timeline}. Safe for any thread.
 *
 * <p>{@link #read} returns the number of expirations since the last read or {@link #settime}, whichever was later. Waiters are
 * called, with {@code POLLIN}, at the first expiration after arming; a periodic timer is armed again by {@code read} or
 * {@link #gettime}, not by the expiration ({@code timerfd_tmrproc}), and the expirations in between are counted.
 */
@ProviderType
public interface TimerDescriptor extends Descriptor {
    /** Flag of {@link #settime}: the first expiration is given as a time, not as a distance from now. */
    int TFD_TIMER_ABSTIME = 1;

    /**
     * A setting, as {@code struct itimerspec}.
     *
     * @param value units to the first expiration, or its time; 0 disarms
     * @param interval units between further expirations; 0 for none
     */
    record Setting(long value, long interval) {}

    /**
     * Arms the timer, or disarms it with {@code value} 0, and forgets expirations that were not read. A time that has passed
     * expires at once, and the intervals since then count.
     *
     * @param flags 0 or {@link #TFD_TIMER_ABSTIME}
     * @return the setting before, its value relative, as {@link #gettime} would have told it
     * @throws ErrnoException EINVAL if a number is negative or a flag unknown, EBADF if the descriptor is closed
     */
    Setting settime(int flags, Setting setting);

    /**
     * Units to the next expiration (0: disarmed, or it expired and has no interval), and the interval.
     *
     * @throws ErrnoException EBADF if the descriptor is closed
     */
    Setting gettime();
}
