package org.penumbra.experiments.cli;

import picocli.CommandLine.Command;

/** {@code penumbra hardware}: holds its subcommands together. */
@Command(
        name = "hardware",
        description = "Processor models: geometry and prices of one generation, each figure with its source.",
        synopsisHeading = "Usage: ",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n")
final class HardwareCommand {}
