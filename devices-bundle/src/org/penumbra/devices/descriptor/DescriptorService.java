package org.penumbra.devices.descriptor;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.interrupt.Descriptors;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Timeline;
import org.penumbra.api.interrupt.TimerDescriptor;

/** Makes event counters and interval timers. */
@Component
public final class DescriptorService implements Descriptors {
    private static final long UINT_MAX = 0xffff_ffffL;

    @Override
    public EventDescriptor event(long initial, boolean semaphore) {
        if (initial < 0 || initial > UINT_MAX) {
            throw new ErrnoException(ErrnoException.EINVAL, "an event starts with 0 to 2^32-1, not " + initial);
        }
        return new EventCounter(initial, semaphore);
    }

    @Override
    public TimerDescriptor timer(Timeline timeline) {
        return new IntervalTimer(timeline);
    }
}
