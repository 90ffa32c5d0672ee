package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.paging.PagingMode;

/**
 * A request with every name resolved: what will be run.
 *
 * @param hardwareSource "bundled", or the file that the processor model was read from
 * @param paging the paging mode of the guests
 * @param vcpus numbers of vCPUs
 * @param check whether every translation is compared with the specification
 * @param swaps how MMUs are swapped, in an experiment that does so
 */
public record Plan(
        RunRequest request, Experiment experiment, List<SelectedWorkload> workloads, List<Design> designs, CostProfile hardware,
        String hardwareSource, PagingMode paging, List<Integer> vcpus, boolean check, SwapRequest swaps) {
    public Plan {
        workloads = List.copyOf(workloads);
        designs = List.copyOf(designs);
        vcpus = List.copyOf(vcpus);
    }

    /** The trials in the order in which they run: workload by workload, vCPUs by vCPUs, seed by seed, design by design. */
    public List<Trial> trials() {
        List<Trial> trials = new ArrayList<>();
        for (SelectedWorkload w : workloads) {
            for (int n : vcpus) {
                for (int r = 0; r < request.repetitions(); r++) {
                    addTrials(trials, w, n, request.seed() + r);
                }
            }
        }
        return trials;
    }

    private void addTrials(List<Trial> trials, SelectedWorkload workload, int n, long seed) {
        if (experiment.kind() == Experiment.Kind.SWAPS) {
            SwapCourse course = new SwapCourse(swaps.every(), swaps.after(), designs, swaps.hostEvents());
            for (SwapCourse c : List.of(course.undisturbed(), course)) {
                trials.add(new Trial(trials.size() + 1, workload, designs.get(0), seed, n, c));
            }
            return;
        }
        for (Design d : designs) {
            if (experiment.kind() == Experiment.Kind.NESTING && !serves(d, workload.workload())) {
                continue;
            }
            trials.add(new Trial(trials.size() + 1, workload, d, seed, n, null));
        }
    }

    /** True if a guest can be the hypervisor that {@code workload} needs under {@code design}. */
    private static boolean serves(Design design, Workload workload) {
        return (!workload.needsNestedPaging() || design.nests())
                && (workload.needsExtension().isEmpty() || workload.needsExtension().get() == design.extension());
    }
}
