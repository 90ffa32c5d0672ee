package org.penumbra.experiments.cli;

import picocli.CommandLine.Command;

/** {@code penumbra trace}: holds its subcommands together. */
@Command(
        name = "trace",
        description = "Memory traces of real programs, as Valgrind's tool lackey prints them or in Penumbra's binary form (.ptrace); plain or "
                + "compressed (.gz, .xz, .zst).",
        synopsisHeading = "Usage: ",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n")
final class TraceCommand {}
