package org.penumbra.experiments.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.penumbra.api.command.Shell;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra shell}. */
@Command(
        name = "shell",
        sortOptions = false,
        description = {
            "Opens a shell in the running container: experiments run in the background, while designs are swapped under their guests "
                    + "and bundles are stopped, started and installed.",
            "",
            "On a terminal a person types; commands and their arguments are completed by Tab. Otherwise the commands come from FILE, "
                    + "from -c or from standard input, and the first that fails ends them.",
            ""
        },
        customSynopsis = "penumbra shell [FILE | -c COMMANDS] [--plugins DIR]",
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra shell",
            "  penumbra shell -c 'designs; bundles | grep mmu'",
            "  penumbra shell < commands.txt"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:left, or every command of the script succeeded",
            "1:a command of the script failed; those after it did not run",
            "2:the request was refused; nothing was run",
            "130:interrupted"
        })
final class ShellCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "0..1", paramLabel = "FILE", description = "A script: a command on each line, # begins a comment.")
    private Path file;

    @Option(names = {"-c", "--command"}, paramLabel = "COMMANDS", description = "Run these commands, with ; between them.")
    private String commands;

    @Mixin
    private PluginsOption plugins;

    ShellCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException {
        if (file != null && commands != null) {
            throw new RefusedException("give either a script ('" + file + "') or commands (-c), not both");
        }
        if (session.console().json()) {
            throw new RefusedException("--json: the shell has no such form; its commands return objects, which pipe");
        }
        if (file != null && !Files.isReadable(file)) {
            throw new RefusedException("script '" + file + "' is not there, or is not readable by this user");
        }
        plugins.watch(session.late());
        Shell shell = session.late().shell();
        session.console().out().flush();
        if (commands != null) {
            return shell.run("", new ByteArrayInputStream(commands.getBytes(StandardCharsets.UTF_8)));
        }
        if (file != null) {
            try (InputStream script = Files.newInputStream(file)) {
                return shell.run(file.toString(), script);
            }
        }
        Terminal terminal = session.console().terminal();
        return terminal.in() && terminal.out() ? shell.interact(terminal.colour()) : shell.run("standard input", System.in);
    }
}
