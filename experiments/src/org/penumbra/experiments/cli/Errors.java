package org.penumbra.experiments.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.experiments.run.FileErrors;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** One line for each thing that goes wrong: what, where, what would be right. */
final class Errors implements IParameterExceptionHandler, IExecutionExceptionHandler {
    private final Console console;

    Errors(Console console) {
        this.console = console;
    }

    @Override
    public int handleParseException(ParameterException e, String[] arguments) {
        CommandSpec command = e.getCommandLine().getCommandSpec();
        String message = e instanceof UnmatchedArgumentException u ? unmatched(u, command) : plain(e.getMessage());
        console.complain(message.replaceAll("\\s*\\R\\s*", "; ") + " (see '" + command.qualifiedName() + " --help')");
        return ExitCodes.REFUSED;
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine commandLine, ParseResult parsed) throws Exception {
        if (e instanceof RefusedException || e instanceof PluginException) {
            console.complain(e.getMessage());
            return ExitCodes.REFUSED;
        }
        IOException io = e instanceof UncheckedIOException u ? u.getCause() : e instanceof IOException i ? i : null;
        if (io != null) {
            console.complain(FileErrors.describe(io));
            return ExitCodes.FAILED;
        }
        throw e;
    }

    private static String unmatched(UnmatchedArgumentException e, CommandSpec command) {
        String argument = e.getUnmatched().get(0);
        List<String> known = new ArrayList<>();
        if (argument.startsWith("-")) {
            String name = argument.contains("=") ? argument.substring(0, argument.indexOf('=')) : argument;
            command.options().forEach(o -> known.add(o.longestName()));
            return Suggestions.unknown("option", name, new TreeSet<>(known));
        }
        if (!command.subcommands().isEmpty()) {
            return Suggestions.unknown("command", argument, new TreeSet<>(command.subcommands().keySet()));
        }
        return "unexpected argument '" + argument + "'"
                + (command.findOption("--design") == null ? "" : "; a list is written with commas, for example --design shadow,ept");
    }

    /** Picocli's words, without Java's. */
    private static String plain(String message) {
        return (Character.toLowerCase(message.charAt(0)) + message.substring(1)).replaceAll("is not an? (int|long)$", "is no whole number")
                .replace("option option", "option").replaceAll("should be in KEY=VALUE format but was (.*)$", "is '$1'; write KEY=VALUE");
    }
}
