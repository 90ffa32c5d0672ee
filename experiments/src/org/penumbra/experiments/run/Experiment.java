package org.penumbra.experiments.run;

import java.util.List;

/**
 * An experiment: a question, and the trials that answer it when nothing else is asked for.
 *
 * @param id the name by which a user selects it
 * @param description one line for people
 * @param workloads default workloads by name or pattern, as a user may give them
 * @param designs default designs by name
 */
public record Experiment(String id, String description, List<String> workloads, List<String> designs) {

    /** Every experiment there is, by default order of a listing. */
    public static final List<Experiment> ALL = List.of(new Experiment(
            "shadow-vs-ept",
            "what does virtualising memory cost: shadow paging and EPT against no hypervisor, on the same guests",
            List.of("trace:*", "fork-heavy"),
            List.of(Design.NATIVE, "shadow", "ept", "ept-2m")));

    public Experiment {
        workloads = List.copyOf(workloads);
        designs = List.copyOf(designs);
    }
}
