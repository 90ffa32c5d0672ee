package org.penumbra.experiments.study;

import java.util.List;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.experiments.run.Experiment;
import org.penumbra.experiments.run.ServiceRegistry;

/** An experiment with a guest of its own. Stateless. */
public interface Study {
    /** The id of its {@link Experiment}. */
    String id();

    /**
     * Makes the trials on {@code hardware}; the same each time.
     *
     * @throws org.penumbra.api.machine.MachineException if a machine cannot be made, or cannot go on
     */
    StudyResult run(ServiceRegistry services, CostProfile hardware);

    /** The one of {@code experiment}. */
    static Study of(Experiment experiment) {
        return List.of(new WalkDimensions(), new StructureCaches(), new DirtyLogs(), new SubPageTracking(), new PublishedOrders(), new PublishedPlugins()).stream()
                .filter(s -> s.id().equals(experiment.id())).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("experiment '" + experiment.id() + "' is no study"));
    }
}
