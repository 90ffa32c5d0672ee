package org.penumbra.experiments.run;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * Wall time of one trial, finished or failed: a measurement of Penumbra itself, never of a design.
 *
 * @param pauseNanos of each swap, the time during which the guest stood still
 */
public record Timing(Trial trial, Instant started, Duration duration, List<Long> pauseNanos) {
    public Timing {
        pauseNanos = List.copyOf(pauseNanos);
    }
}
