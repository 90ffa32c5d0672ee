package org.penumbra.shell;

import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Function;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** {@code wait}: a function of Gogo, since the name of a method would find {@link Object#wait(long)} first. */
@Component(service = WaitCommand.class, property = {"osgi.command.scope=penumbra", "osgi.command.function=wait"})
public final class WaitCommand implements Function {
    private final Jobs jobs;

    @Activate
    public WaitCommand(@Reference Jobs jobs) {
        this.jobs = jobs;
    }

    @Override
    public Object execute(CommandSession session, List<Object> arguments) throws InterruptedException {
        if (arguments.size() != 1) {
            throw new UserError("wait takes one job; usage: wait JOB");
        }
        return waitFor(String.valueOf(arguments.get(0)));
    }

    @Descriptor("waits for the end of a job, and shows what it printed")
    String waitFor(@Descriptor("JOB its number") String job) throws InterruptedException {
        Job j = jobs.job(job);
        j.attend();
        j.await();
        if (j.exitCode() != 0) {
            throw new JobFailedException(j);
        }
        return j.output();
    }
}
