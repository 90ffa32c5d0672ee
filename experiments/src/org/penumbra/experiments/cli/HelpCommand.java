package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code penumbra help}: the help of a command, named in as many words as it has. */
@Command(
        name = "help",
        helpCommand = true,
        description = {"Shows the help of a command.", ""},
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra help run", "  penumbra help trace record"})
final class HelpCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "COMMAND", arity = "0..*", description = "The command; penumbra itself if left out.")
    private List<String> path = new ArrayList<>();

    @Override
    public Integer call() {
        CommandLine command = spec.root().commandLine();
        for (String word : path) {
            CommandLine next = command.getSubcommands().get(word);
            if (next == null) {
                throw new RefusedException(Suggestions.unknown("command", word, new TreeSet<>(command.getSubcommands().keySet())));
            }
            command = next;
        }
        command.usage(command.getOut(), command.getColorScheme());
        return ExitCodes.OK;
    }
}
