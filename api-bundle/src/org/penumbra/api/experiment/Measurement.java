package org.penumbra.api.experiment;

/**
 * One figure of one trial: a row of {@code results.csv}. Values are exact integers or doubles printed by
 * {@link Double#toString}; wall time is no measurement.
 */
public record Measurement(
        String experiment, int trial, String workload, String design, String hardware, long seed, String metric, String unit, Number value) {}
