package org.penumbra.experiments.run;

import org.penumbra.api.experiment.Workload;

/** A workload under the name that stands in the results. */
public record SelectedWorkload(String name, Workload workload) {}
