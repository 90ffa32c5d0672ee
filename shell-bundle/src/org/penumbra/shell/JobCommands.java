package org.penumbra.shell;

import java.util.ArrayList;
import java.util.List;
import org.apache.felix.service.command.Descriptor;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Commands on what runs in the background. For {@code wait} see {@link WaitCommand}. */
@Component(service = JobCommands.class, property = {
    "osgi.command.scope=penumbra", "osgi.command.function=run", "osgi.command.function=jobs", "osgi.command.function=cancel",
    "osgi.command.function=output"
})
public final class JobCommands {
    private final Jobs jobs;

    @Activate
    public JobCommands(@Reference Jobs jobs) {
        this.jobs = jobs;
    }

    @Descriptor("starts an experiment in the background, with the arguments of 'penumbra run'")
    public JobInfo run(@Descriptor("ARGUMENTS... an experiment and options; './penumbra help run' lists them") String... arguments) {
        if (arguments.length == 0) {
            throw new UserError("say what to run, for example: run shadow-vs-ept --workload fork-heavy");
        }
        List<String> words = new ArrayList<>(List.of(arguments));
        words.add(0, "run");
        return jobs.start(words).info();
    }

    @Descriptor("lists what was started in the background")
    public List<JobInfo> jobs() {
        List<JobInfo> infos = new ArrayList<>();
        jobs.all().forEach(j -> infos.add(j.info()));
        return infos;
    }

    @Descriptor("ends a job as Ctrl-C would: what had finished is kept")
    public JobInfo cancel(@Descriptor("JOB its number") String job) throws InterruptedException {
        Job j = jobs.job(job);
        j.cancel();
        j.await();
        return j.info();
    }

    @Descriptor("shows what a job has printed so far")
    public String output(@Descriptor("JOB its number") String job) {
        Job j = jobs.job(job);
        j.attend();
        return j.output();
    }
}
