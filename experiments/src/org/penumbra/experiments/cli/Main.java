package org.penumbra.experiments.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.Callable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.workload.TraceWorkload;

/** The command line as the launcher calls it: once, on the main thread, with the arguments of the process. */
@Component(service = Callable.class, property = "penumbra.main:Boolean=true")
public final class Main implements Callable<Integer> {
    private final String[] arguments;
    private final ServiceRegistry services;
    private final LateBundles late;

    @Activate
    public Main(
            @Reference(service = Object.class, target = "(launcher.arguments=*)") Map<String, Object> launcher,
            @Reference ServiceRegistry services, @Reference LateBundles late) {
        this.arguments = (String[]) launcher.get("launcher.arguments");
        this.services = services;
        this.late = late;
    }

    @Override
    public Integer call() {
        PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        Console console = new Console(out, err, Terminal.ofProcess(System.getenv()));
        try {
            Session session = new Session(services, console, TraceWorkload::ofFile, Interrupt::new, late);
            return PenumbraCommand.commandLine(session).execute(arguments);
        } finally {
            out.flush();
            err.flush();
        }
    }
}
