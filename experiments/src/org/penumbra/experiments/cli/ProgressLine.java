package org.penumbra.experiments.cli;

import org.penumbra.experiments.run.CampaignListener;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.Trial;

/** Which trial runs, how far it is, how long all of them will still take. */
final class ProgressLine implements CampaignListener {
    private final StatusLine line;
    private final int trials;
    private final double expected;
    private double ended;

    ProgressLine(Console console, Plan plan) {
        this.line = new StatusLine(console, false);
        this.trials = plan.trials().size();
        this.expected = plan.trials().stream().mapToDouble(ProgressLine::size).sum();
    }

    @Override
    public void started(Trial trial) {
        line.clear();
        show(trial, 0);
    }

    @Override
    public void progress(Trial trial, long operations) {
        show(trial, operations);
    }

    @Override
    public void ended(CampaignResult soFar) {
        ended += size(soFar.timings().get(soFar.timings().size() - 1).trial());
        line.clear();
    }

    @Override
    public void finished(CampaignResult result) {
        line.clear();
    }

    private void show(Trial trial, long operations) {
        double size = size(trial);
        double share = Math.min(1, operations / size);
        line.show(String.format("[%d/%d] %s", trial.number(), trials, trial.title()), share, (ended + share * size) / expected);
    }

    /** A workload that does not know its length counts as a million operations. */
    private static double size(Trial trial) {
        long n = trial.workload().workload().expectedOperations();
        return (n > 0 ? n : 1e6) * trial.vcpus();
    }
}
