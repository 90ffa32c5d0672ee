package org.penumbra.api.observe;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.penumbra.api.vmx.ExitReason;

/** Exits by reason with their simulated cycles, in the terms of {@code perf kvm stat}. Written by one thread. */
public final class ExitTable {
    /**
     * One row.
     *
     * @param samples exits
     * @param cycles simulated cycles spent outside the guest on them, transitions included
     */
    public record Row(ExitReason reason, long samples, long cycles, long min, long max) {
        /** Mean simulated cycles per exit. */
        public double average() {
            return (double) cycles / samples;
        }
    }

    private final long[] samples = new long[ExitReason.LIMIT];
    private final long[] cycles = new long[ExitReason.LIMIT];
    private final long[] min = new long[ExitReason.LIMIT];
    private final long[] max = new long[ExitReason.LIMIT];

    /** Counts an exit for {@code reason} (SDM number) that took {@code spent} cycles. */
    public void add(int reason, long spent) {
        min[reason] = samples[reason] == 0 ? spent : Math.min(min[reason], spent);
        max[reason] = Math.max(max[reason], spent);
        samples[reason]++;
        cycles[reason] += spent;
    }

    /** Adds every row of {@code other}. */
    public void add(ExitTable other) {
        for (int i = 0; i < samples.length; i++) {
            if (other.samples[i] > 0) {
                min[i] = samples[i] == 0 ? other.min[i] : Math.min(min[i], other.min[i]);
                max[i] = Math.max(max[i], other.max[i]);
                samples[i] += other.samples[i];
                cycles[i] += other.cycles[i];
            }
        }
    }

    /** Rows with at least one sample, the most costly first. */
    public List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        for (ExitReason r : ExitReason.values()) {
            int i = r.number();
            if (samples[i] > 0) {
                rows.add(new Row(r, samples[i], cycles[i], min[i], max[i]));
            }
        }
        rows.sort(Comparator.comparingLong(Row::cycles).reversed().thenComparing(Row::reason));
        return rows;
    }
}
