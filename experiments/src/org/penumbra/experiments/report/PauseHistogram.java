package org.penumbra.experiments.report;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.RefusedException;

/** How long guests stood still while their MMU was swapped, in wall time. */
public final class PauseHistogram {
    private static final int SIGNIFICANT_DIGITS = 3;
    private static final double NANOS_PER_MICROSECOND = 1000;

    private final Path file;

    /**
     * The histogram in {@code file}; nothing is created yet.
     *
     * @param force whether an earlier file may be replaced
     * @throws RefusedException if it cannot go there
     */
    public PauseHistogram(Path file, boolean force) {
        this.file = file;
        Path folder = file.toAbsolutePath().getParent();
        if (Files.isDirectory(file)) {
            throw new RefusedException("--histogram: '" + file + "' is a folder; name a file");
        }
        if (Files.exists(file) && !force) {
            throw new RefusedException("--histogram: '" + file + "' exists; name another, or give --force to replace it");
        }
        if (folder == null || !Files.isWritable(folder)) {
            throw new RefusedException("--histogram: '" + folder + "' is not a writable folder");
        }
    }

    /** Writes the pauses of all swaps of {@code campaign} in microseconds, as the plotters of HdrHistogram read it. */
    public void write(CampaignResult campaign) throws IOException {
        Histogram all = new Histogram(SIGNIFICANT_DIGITS);
        campaign.timings().forEach(t -> t.pauseNanos().forEach(all::recordValue));
        try (PrintStream out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
            all.outputPercentileDistribution(out, NANOS_PER_MICROSECOND);
            if (out.checkError()) {
                throw new IOException(file + ": cannot be written");
            }
        }
    }

    /** For {@code timings.json}: percentiles of {@code nanos} in microseconds. */
    static Map<String, Object> summary(List<Long> nanos) {
        Histogram h = new Histogram(SIGNIFICANT_DIGITS);
        nanos.forEach(h::recordValue);
        return RunJson.object("number", h.getTotalCount(), "unit", "microseconds", "p50", micros(h, 50), "p90", micros(h, 90), "p99",
                micros(h, 99), "p99.9", micros(h, 99.9), "max", h.getMaxValue() / NANOS_PER_MICROSECOND);
    }

    private static double micros(Histogram h, double percentile) {
        return h.getValueAtPercentile(percentile) / NANOS_PER_MICROSECOND;
    }
}
