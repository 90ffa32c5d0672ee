package org.penumbra.shell;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.penumbra.api.command.CommandLine;

/** The commands of {@code penumbra} that run in the background, each on a thread of its own. Any thread. */
@Component(service = Jobs.class)
public final class Jobs {
    /** How long the end of the process waits for a cancelled job to save what it has. */
    private static final long GRACE_MILLIS = TimeUnit.SECONDS.toMillis(30);

    private final List<Job> jobs = new ArrayList<>();
    /** On Ctrl-C jobs end as a command in the foreground does: what had finished is kept. */
    private Thread hook;

    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile CommandLine commandLine;

    /** Starts {@code penumbra ARGUMENTS}. */
    synchronized Job start(List<String> arguments) {
        CommandLine service = commandLine;
        if (service == null) {
            throw new UserError("no bundle offers Penumbra's commands; 'start org.penumbra.experiments' brings them back");
        }
        if (hook == null) {
            hook = new Thread(this::cancelAll, "penumbra-jobs-interrupt");
            Runtime.getRuntime().addShutdownHook(hook);
        }
        Job job = new Job(jobs.size() + 1, arguments, service);
        jobs.add(job);
        job.start();
        return job;
    }

    /** All jobs since the start, the oldest first. */
    synchronized List<Job> all() {
        return new ArrayList<>(jobs);
    }

    /** Those that still run. */
    List<Job> running() {
        return all().stream().filter(Job::running).toList();
    }

    /** Those whose result nobody has asked for. */
    List<Job> unattended() {
        return all().stream().filter(j -> !j.attended()).toList();
    }

    /** The job that a person means by its number. */
    Job job(String id) {
        List<Job> all = all();
        return all.stream().filter(j -> String.valueOf(j.id()).equals(id)).findFirst().orElseThrow(() -> new UserError(
                all.isEmpty() ? "no job was started yet; 'run EXPERIMENT' starts one"
                        : "unknown job '" + id + "'; known: " + String.join(", ", all.stream().map(j -> "" + j.id()).toList())));
    }

    /** What the last word of a job's {@code arguments} can become. */
    List<String> complete(List<String> arguments) {
        CommandLine service = commandLine;
        return service == null ? List.of() : service.complete(arguments);
    }

    /** Cancels what runs, and waits for it. */
    void cancelAll() {
        List<Job> running = running();
        running.forEach(Job::cancel);
        long end = System.currentTimeMillis() + GRACE_MILLIS;
        try {
            for (Job job : running) {
                job.await(Math.max(1, end - System.currentTimeMillis()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Deactivate
    void close() {
        cancelAll();
        synchronized (this) {
            if (hook != null) {
                try {
                    Runtime.getRuntime().removeShutdownHook(hook);
                } catch (IllegalStateException e) {
                    // the process ends already
                }
            }
        }
    }
}
