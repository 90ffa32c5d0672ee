package org.penumbra.experiments.cli;

import java.util.Locale;
import org.penumbra.experiments.run.CampaignListener;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.Trial;

/** One line that is written over and over: which trial runs, how far it is, how long all of them will still take. */
final class ProgressLine implements CampaignListener {
    private static final int WIDTH = 79;
    private static final long REFRESH_NANOS = 200_000_000;

    private final Console console;
    private final int trials;
    private final double expected;
    private final long start = System.nanoTime();
    private double ended;
    private long shown;

    ProgressLine(Console console, Plan plan) {
        this.console = console;
        this.trials = plan.trials().size();
        this.expected = plan.trials().stream().mapToDouble(ProgressLine::size).sum();
    }

    @Override
    public void started(Trial trial) {
        show(trial, 0);
    }

    @Override
    public void progress(Trial trial, long operations) {
        if (System.nanoTime() - shown > REFRESH_NANOS) {
            show(trial, operations);
        }
    }

    @Override
    public void ended(CampaignResult soFar) {
        ended += size(soFar.timings().get(soFar.timings().size() - 1).trial());
        clear();
    }

    @Override
    public void finished(CampaignResult result) {
        clear();
    }

    /** Takes the line away, so that something else can be printed. */
    private void clear() {
        console.err().print("\r" + " ".repeat(WIDTH) + "\r");
        console.err().flush();
    }

    private void show(Trial trial, long operations) {
        shown = System.nanoTime();
        double size = size(trial);
        double share = Math.min(1, operations / size);
        double done = (ended + share * size) / expected;
        String line = String.format(Locale.ROOT, "[%d/%d] %s  %3.0f%%  %s", trial.number(), trials, trial.title(), 100 * share,
                remaining(done, (shown - start) / 1e9));
        console.err().print("\r" + (line + " ".repeat(WIDTH)).substring(0, WIDTH));
        console.err().flush();
    }

    /** A workload that does not know its length counts as a million operations. */
    private static double size(Trial trial) {
        long n = trial.workload().workload().expectedOperations();
        return (n > 0 ? n : 1e6) * trial.vcpus();
    }

    /** "about 1 min 20 s left", once there is something to judge from. */
    static String remaining(double done, double elapsedSeconds) {
        if (done < 0.01 || elapsedSeconds < 1) {
            return "";
        }
        long seconds = Math.round(elapsedSeconds * (1 - done) / done);
        return "about " + (seconds < 60 ? "" : seconds / 60 + " min ") + seconds % 60 + " s left";
    }
}
