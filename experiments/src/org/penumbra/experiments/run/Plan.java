package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.clock.CostProfile;

/**
 * A request with every name resolved: what will be run.
 *
 * @param hardwareSource "bundled", or the file that the processor model was read from
 */
public record Plan(
        RunRequest request, Experiment experiment, List<SelectedWorkload> workloads, List<Design> designs, CostProfile hardware,
        String hardwareSource) {
    public Plan {
        workloads = List.copyOf(workloads);
        designs = List.copyOf(designs);
    }

    /** The trials in the order in which they run: workload by workload, seed by seed, design by design. */
    public List<Trial> trials() {
        List<Trial> trials = new ArrayList<>();
        for (SelectedWorkload w : workloads) {
            for (int r = 0; r < request.repetitions(); r++) {
                for (Design d : designs) {
                    trials.add(new Trial(trials.size() + 1, w, d, request.seed() + r));
                }
            }
        }
        return trials;
    }
}
