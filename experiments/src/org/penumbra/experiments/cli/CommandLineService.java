package org.penumbra.experiments.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.command.CommandLine;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.Experiment;
import org.penumbra.experiments.run.PagingModes;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.workload.TraceWorkload;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The command line for other bundles: no terminal, and its own request to stop. */
@Component(service = CommandLine.class)
public final class CommandLineService implements CommandLine {
    private final ServiceRegistry services;
    private final LateBundles late;

    @Activate
    public CommandLineService(@Reference ServiceRegistry services, @Reference LateBundles late) {
        this.services = services;
        this.late = late;
    }

    @Override
    public int run(List<String> arguments, PrintWriter out, PrintWriter err, BooleanSupplier stop) {
        Console console = new Console(out, err, new Terminal(false, false, false, false));
        try {
            return line(console, stop).execute(arguments.toArray(String[]::new));
        } finally {
            out.flush();
            err.flush();
        }
    }

    private picocli.CommandLine line(Console console, BooleanSupplier stop) {
        return PenumbraCommand.commandLine(new Session(services, console, TraceWorkload::ofFile, () -> new Interrupt(stop), late));
    }

    @Override
    public List<String> complete(List<String> arguments) {
        PrintWriter nowhere = new PrintWriter(PrintWriter.nullWriter());
        picocli.CommandLine command = line(new Console(nowhere, nowhere, new Terminal(false, false, false, false)), () -> true);
        int last = arguments.size() - 1;
        int first = 0;
        while (first < last && command.getSubcommands().containsKey(arguments.get(first))) {
            command = command.getSubcommands().get(arguments.get(first++));
        }
        String typed = arguments.get(last);
        List<String> words = candidates(command.getCommandSpec(), arguments.subList(first, last), typed);
        return new TreeSet<>(words).stream().filter(w -> w.startsWith(typed)).toList();
    }

    private List<String> candidates(CommandSpec command, List<String> before, String typed) {
        if (typed.startsWith("-")) {
            return command.options().stream().map(OptionSpec::longestName).toList();
        }
        String previous = before.isEmpty() ? "" : before.get(before.size() - 1);
        List<String> names = switch (previous) {
            case "--workload" -> services.workloads().stream().map(ServiceRegistry.Named::name).toList();
            case "--design", "--mmu" -> new Designs(services).offers().stream().map(Designs.Offer::name).toList();
            case "--hardware" -> services.costProfiles().map(p -> p.all().stream().map(m -> m.name()).toList()).orElse(List.of());
            case "--set" -> services.mmus().stream().flatMap(m -> m.service().settings().stream()).map(s -> s.key() + "=").toList();
            case "--mode", "--paging" -> PagingModes.labels();
            default -> before.isEmpty() ? firstWords(command) : List.of();
        };
        // lists are written with commas: the last name of them is completed
        int comma = typed.lastIndexOf(',') + 1;
        List<String> words = new ArrayList<>();
        names.forEach(n -> words.add(typed.substring(0, comma) + n));
        return words;
    }

    private List<String> firstWords(CommandSpec command) {
        return switch (command.name()) {
            case "run" -> Experiment.ALL.stream().map(Experiment::id).toList();
            case "verify" -> services.verifications().stream().map(ServiceRegistry.Named::name).toList();
            default -> List.copyOf(command.subcommands().keySet());
        };
    }
}
