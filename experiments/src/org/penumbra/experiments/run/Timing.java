package org.penumbra.experiments.run;

import java.time.Duration;
import java.time.Instant;

/** Wall time of one trial, finished or failed: a measurement of Penumbra itself, never of a design. */
public record Timing(Trial trial, Instant started, Duration duration) {}
