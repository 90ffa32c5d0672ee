package org.penumbra.experiments.run;

import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;

/** Runs one trial: machine, guest, swaps, results. */
final class TrialRunner {
    /** Operations between two looks at progress and interruption. */
    private static final long BATCH = 1_000_000;

    private final ServiceRegistry services;
    private final Plan plan;

    TrialRunner(ServiceRegistry services, Plan plan) {
        this.services = services;
        this.plan = plan;
    }

    /**
     * A trial at its end.
     *
     * @param pauseNanos wall time of each swap
     */
    record Ended(TrialResult result, List<Long> pauseNanos) {}

    /**
     * Runs {@code trial} to its end.
     *
     * @param listener is told of the machine, and how many operations have retired
     * @param stop asked after each batch
     * @return empty if {@code stop} said so before the end
     * @throws RuntimeException if the trial cannot go on
     */
    Optional<Ended> run(Trial trial, CampaignListener listener, BooleanSupplier stop) {
        LongConsumer progress = operations -> listener.progress(trial, operations);
        RunRequest request = plan.request();
        Design design = trial.design();
        MachineFactory factory = services.machineFactory(design.machineKind()).orElseThrow(
                () -> new MachineException("no machine of kind '" + design.machineKind() + "' is left in the container"));
        MachineConfig config = new MachineConfig(request.memoryBytes(), design.hostPageLevel(), plan.hardware(), design.mmu(),
                design.changedSettings(), plan.check()).withVcpus(trial.vcpus(), false)
                .withEngine(trial.workload().workload().engine());
        try (Machine machine = factory.create(config, new IdentifiedGuest(trial.workload(), trial.seed(), plan.paging()))) {
            SwapDriver driver = trial.course() == null ? null : new SwapDriver(machine, trial);
            boolean ended = watched(listener.running(trial, machine),
                    () -> driver == null ? run(machine, progress, stop) : driver.run(progress, stop));
            if (!ended) {
                return Optional.empty();
            }
            if (machine.exitCode() != 0) {
                throw new MachineException("the guest powered off with code " + machine.exitCode() + " after "
                        + machine.operations() + " operations; 0 means success");
            }
            SwapFigures swaps = driver == null ? null : driver.figures();
            return Optional.of(new Ended(TrialResult.of(trial, machine, swaps), driver == null ? List.of() : driver.pauseNanos()));
        }
    }

    private static boolean watched(AutoCloseable watching, BooleanSupplier run) {
        try {
            return run.getAsBoolean();
        } finally {
            try {
                watching.close();
            } catch (Exception e) {
                throw new MachineException("who listened to the machine failed at its end: " + e, e);
            }
        }
    }

    /** Runs the guest to its end; false if {@code stop} said so before. */
    private static boolean run(Machine machine, LongConsumer progress, BooleanSupplier stop) {
        while (machine.run(BATCH)) {
            progress.accept(machine.operations());
            if (stop.getAsBoolean()) {
                return false;
            }
        }
        return true;
    }
}
