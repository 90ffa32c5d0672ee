package org.penumbra.experiments.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Trial;
import org.penumbra.experiments.run.TrialResult;

/**
 * One workload on so many vCPUs under one design, or under several in turn: a row of a table.
 *
 * @param swapped whether the MMU was swapped while the guest ran
 * @param results the finished repetitions; empty if each failed or none has run
 * @param failed whether a repetition failed
 */
record Cell(String workload, int vcpus, String design, boolean swapped, List<TrialResult> results, boolean failed) {

    /** The cells of a campaign in the order of its plan, without those that have not run. */
    static List<Cell> of(CampaignResult campaign) {
        Map<List<Object>, Cell> cells = new LinkedHashMap<>();
        for (Trial t : campaign.plan().trials()) {
            cells.computeIfAbsent(key(t), k -> new Cell(t.workload().name(), t.vcpus(), t.designs(), t.swapped(),
                    campaign.finished().stream().filter(r -> key(r.trial()).equals(k)).toList(),
                    campaign.failures().stream().anyMatch(f -> key(f.trial()).equals(k))));
        }
        return cells.values().stream().filter(c -> c.failed() || !c.results().isEmpty()).toList();
    }

    /** What repetitions have in common. */
    private static List<Object> key(Trial t) {
        return List.of(t.workload().name(), t.vcpus(), t.designs());
    }

    /** The mean of {@code figure} over the repetitions; 0 without any. */
    double mean(ToDoubleFunction<TrialResult> figure) {
        return results.stream().mapToDouble(figure).average().orElse(0);
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
