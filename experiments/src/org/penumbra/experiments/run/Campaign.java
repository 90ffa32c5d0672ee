package org.penumbra.experiments.run;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.UnsupportedPagingException;

/** Runs the trials of a plan one after the other. A trial that fails does not stop the others. */
public final class Campaign {
    private final ServiceRegistry services;
    private final Plan plan;

    public Campaign(ServiceRegistry services, Plan plan) {
        this.services = services;
        this.plan = plan;
    }

    /**
     * Runs, on the calling thread.
     *
     * @param stop asked often; once it says true the trial that runs is given up, and the finished ones are the result
     */
    public CampaignResult run(CampaignListener listener, BooleanSupplier stop) {
        CampaignResult result = runTrials(listener, stop);
        listener.finished(result);
        return result;
    }

    private CampaignResult runTrials(CampaignListener listener, BooleanSupplier stop) {
        TrialRunner runner = new TrialRunner(services, plan);
        List<TrialResult> finished = new ArrayList<>();
        List<TrialFailure> failures = new ArrayList<>();
        List<Timing> timings = new ArrayList<>();
        for (Trial trial : plan.trials()) {
            if (stop.getAsBoolean()) {
                return new CampaignResult(plan, finished, failures, timings, true);
            }
            listener.started(trial);
            Instant started = Instant.now();
            long start = System.nanoTime();
            List<Long> pauses = List.of();
            try {
                Optional<TrialRunner.Ended> ended = runner.run(trial, listener, stop);
                if (ended.isEmpty()) {
                    return new CampaignResult(plan, finished, failures, timings, true);
                }
                finished.add(ended.get().result());
                pauses = ended.get().pauseNanos();
            } catch (RuntimeException | LinkageError | AssertionError | OutOfMemoryError | StackOverflowError e) {
                // whatever a plugin may throw ends its trial, not the campaign
                failures.add(new TrialFailure(trial, explain(e), e));
            }
            timings.add(new Timing(trial, started, Duration.ofNanos(System.nanoTime() - start), pauses));
            listener.ended(new CampaignResult(plan, finished, failures, timings, false));
        }
        return new CampaignResult(plan, finished, failures, timings, false);
    }

    private static String explain(Throwable e) {
        if (e instanceof OutOfMemoryError) {
            return "Java's heap of " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB is exhausted; run with a larger heap"
                    + " or a smaller workload";
        }
        boolean forUsers = e instanceof MachineException || e instanceof UncheckedIOException
                || e instanceof UnsupportedPagingException || e instanceof IllegalArgumentException;
        if (e instanceof UncheckedIOException && e.getCause() != null && e.getCause().getMessage() != null) {
            return oneLine(e.getCause().getMessage());
        }
        return oneLine(forUsers && e.getMessage() != null ? e.getMessage() : e.toString());
    }

    private static String oneLine(String message) {
        return message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }
}
