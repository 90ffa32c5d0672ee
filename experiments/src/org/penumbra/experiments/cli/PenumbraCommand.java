package org.penumbra.experiments.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code penumbra}: says what there is, and leads to the other commands. */
@Command(
        name = "penumbra",
        description = {
            "Compares designs of x86 memory virtualisation on simulated machines.",
            "",
            "A guest program runs in a simulated x86-64 machine under shadow paging, under EPT and without a hypervisor; TLB misses, "
                    + "page walks, VM exits and simulated cycles are counted and compared."
        },
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra run shadow-vs-ept                       the bundled programs under four designs",
            "  penumbra trace record --out ls.trace.xz -- ls    record what a program of yours does",
            "  penumbra run shadow-vs-ept --trace ls.trace.xz   and run it",
            "  penumbra walk --gva 0x7f1234567000               one page walk, step by step",
            "  penumbra boot kernel.elf --mmu shadow            a kernel in machine code",
            "  penumbra list                                    experiments, designs, hardware, workloads",
            "  penumbra shell                                   swap designs while experiments run",
            "  penumbra plugin new my-mmu                       a project for a design of your own",
            "",
            "'penumbra help COMMAND' says more about a command."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:all went well",
            "1:something failed while running",
            "2:the request was refused; nothing was run or written",
            "3:a translation was wrong, a machine and the specification disagreed, or a guest ran differently under two designs",
            "130:interrupted; what had finished is kept"
        })
final class PenumbraCommand implements Callable<Integer> {
    private final Session session;

    @Spec
    private CommandSpec spec;

    @Option(names = {"-h", "--help"}, usageHelp = true, scope = ScopeType.INHERIT, description = "Show this help and exit.")
    private boolean help;

    @Option(names = {"-V", "--version"}, description = "Print the version and exit.")
    private boolean version;

    private PenumbraCommand(Session session) {
        this.session = session;
    }

    @Option(names = "--json", scope = ScopeType.INHERIT, description = "Print the answer as JSON, and nothing else, on standard output.")
    private void setJson(boolean json) {
        session.console().json(json);
    }

    /** The whole command line over {@code session}. */
    static CommandLine commandLine(Session session) {
        CommandLine line = new CommandLine(new PenumbraCommand(session));
        line.addSubcommand(new RunCommand(session));
        line.addSubcommand(new BootCommand(session));
        line.addSubcommand(new RestoreCommand(session));
        line.addSubcommand(new WalkCommand(session));
        line.addSubcommand(new VerifyCommand(session));
        line.addSubcommand(new ListCommand(session));
        line.addSubcommand(new ShellCommand(session));
        line.addSubcommand(new CommandLine(new TraceCommand())
                // the options of the program that is recorded are its own
                .addSubcommand(new CommandLine(new TraceRecordCommand(session)).setStopAtPositional(true))
                .addSubcommand(new TraceInfoCommand(session))
                .addSubcommand(new TraceConvertCommand(session)));
        line.addSubcommand(new CommandLine(new HardwareCommand())
                .addSubcommand(new HardwareListCommand(session))
                .addSubcommand(new HardwareShowCommand(session)));
        line.addSubcommand(new CommandLine(new PluginCommand())
                .addSubcommand(new PluginNewCommand(session))
                .addSubcommand(new PluginRepoCommand(session))
                .addSubcommand(new PluginCheckCommand(session))
                .addSubcommand(new PluginPublishCommand(session))
                .addSubcommand(new PluginSearchCommand(session))
                .addSubcommand(new PluginFolderCommand.Install(session))
                .addSubcommand(new PluginFolderCommand.Update(session))
                .addSubcommand(new PluginFolderCommand.Remove(session)));
        line.addSubcommand(new HelpCommand());
        line.setOut(session.console().out());
        line.setErr(session.console().err());
        line.setColorScheme(CommandLine.Help.defaultColorScheme(session.console().ansi()));
        line.setUsageHelpAutoWidth(false);
        line.setUsageHelpWidth(100);
        Errors errors = new Errors(session.console());
        line.setParameterExceptionHandler(errors);
        line.setExecutionExceptionHandler(errors);
        return line;
    }

    @Override
    public Integer call() {
        if (!version) {
            spec.commandLine().usage(session.console().err());
            return ExitCodes.REFUSED;
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("penumbra", session.services().version());
        document.put("java", Runtime.version().toString());
        session.console().answer(() -> document,
                () -> List.of("Penumbra " + document.get("penumbra") + " on Java " + document.get("java")));
        return ExitCodes.OK;
    }
}
