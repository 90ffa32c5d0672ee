package org.penumbra.experiments.cli;

import picocli.CommandLine.Command;

/** {@code penumbra plugin}: holds its subcommands together. */
@Command(
        name = "plugin",
        description = {
            "Plugins: bundles with MMU designs, exit handlers, interrupt controllers or workloads, built outside Penumbra and brought into "
                    + "a container by --plugins DIR.",
            ""
        },
        synopsisHeading = "Usage: ",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra plugin new my-mmu && cd my-mmu && mvn verify",
            "  penumbra plugin check target/my-mmu-1.0.0.jar",
            "  penumbra run shadow-vs-ept --plugins target --design my-mmu,ept --check"
        })
final class PluginCommand {}
