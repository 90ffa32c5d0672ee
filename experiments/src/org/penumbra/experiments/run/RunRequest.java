package org.penumbra.experiments.run;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a person asked for, in their own words; nothing is checked yet.
 *
 * @param experiment the experiment's id
 * @param workloads names; empty for the experiment's own
 * @param traces the person's own traces, run instead of the experiment's workloads
 * @param kernels command line and modules of the kernels among the workloads
 * @param designs names; empty for the experiment's own
 * @param hardware the name of a processor model, or a JSON file that describes one
 * @param figures figures of the processor model that are changed, by key
 * @param memoryBytes guest-physical memory
 * @param paging the guest's paging mode by its label
 * @param seed the seed of the first repetition; the next one has the next seed
 * @param settings settings of designs
 * @param check compare every translation with the specification; counts only if it is among {@code given}
 * @param vcpus numbers of vCPUs; empty for the experiment's own
 * @param swaps how the MMU is swapped; only its values among {@code given} count
 * @param given which of these the person chose, by option name without dashes; the others have their defaults
 */
public record RunRequest(
        String experiment, List<String> workloads, List<Path> traces, KernelRequest kernels, List<String> designs, String hardware,
        Map<String, Long> figures, long memoryBytes, String paging, long seed, int repetitions, Map<String, String> settings,
        boolean check, List<Integer> vcpus, SwapRequest swaps, Set<String> given) {
    public RunRequest {
        workloads = List.copyOf(workloads);
        traces = List.copyOf(traces);
        designs = List.copyOf(designs);
        figures = Collections.unmodifiableMap(new TreeMap<>(figures));
        settings = Map.copyOf(settings);
        vcpus = List.copyOf(vcpus);
        given = Set.copyOf(given);
    }

    /** Where the value of {@code option} came from. */
    public Origin origin(String option) {
        return given.contains(option) ? Origin.COMMAND_LINE : Origin.DEFAULT;
    }
}
