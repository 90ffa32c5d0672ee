package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.SelectedWorkload;
import org.penumbra.experiments.run.TrialResult;

/**
 * One workload under one design: a row of a table.
 *
 * @param results the finished repetitions; empty if each failed or none has run
 * @param failed whether a repetition failed
 */
record Cell(String workload, String design, List<TrialResult> results, boolean failed) {

    /** The cells of a campaign in the order of its plan, without those that have not run. */
    static List<Cell> of(CampaignResult campaign) {
        List<Cell> cells = new ArrayList<>();
        for (SelectedWorkload w : campaign.plan().workloads()) {
            for (Design d : campaign.plan().designs()) {
                List<TrialResult> results = campaign.finished().stream()
                        .filter(r -> r.trial().workload().equals(w) && r.trial().design().equals(d)).toList();
                boolean failed = campaign.failures().stream()
                        .anyMatch(f -> f.trial().workload().equals(w) && f.trial().design().equals(d));
                if (failed || !results.isEmpty()) {
                    cells.add(new Cell(w.name(), d.name(), results, failed));
                }
            }
        }
        return cells;
    }

    /** The mean overhead over the repetitions, if each has its native counterpart. */
    Optional<Double> overhead(CampaignResult campaign) {
        double sum = 0;
        for (TrialResult r : results) {
            Optional<Double> overhead = campaign.overhead(r);
            if (overhead.isEmpty()) {
                return Optional.empty();
            }
            sum += overhead.get();
        }
        return results.isEmpty() ? Optional.empty() : Optional.of(sum / results.size());
    }
}
