package org.penumbra.experiments.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.report.AblationReport;
import org.penumbra.experiments.report.CheckReport;
import org.penumbra.experiments.report.ExitReport;
import org.penumbra.experiments.report.NestingReport;
import org.penumbra.experiments.report.PauseHistogram;
import org.penumbra.experiments.report.ResultsFolder;
import org.penumbra.experiments.report.RunJson;
import org.penumbra.experiments.report.SummaryReport;
import org.penumbra.experiments.report.SwapTable;
import org.penumbra.experiments.run.Agreement;
import org.penumbra.experiments.run.Campaign;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Experiment;
import org.penumbra.experiments.run.KernelRequest;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.RunRequest;
import org.penumbra.experiments.run.SwapRequest;
import org.penumbra.experiments.run.TrialResult;
import org.penumbra.experiments.study.Study;
import org.penumbra.experiments.study.StudyResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code penumbra run}. */
@Command(
        name = "run",
        sortOptions = false,
        description = {
            "Runs an experiment and prints what each design cost each workload, or what swaps of designs did to it.",
            "",
            "Every workload runs under every design, as a guest that executes the same operations each time. Cycles are simulated, by "
                    + "the figures of the processor model; wall time plays no part, and the same seed gives the same results.",
            ""
        },
        customSynopsis = "penumbra run EXPERIMENT [OPTIONS]",
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra run shadow-vs-ept",
            "  penumbra run shadow-vs-ept --workload fork-heavy --design native,shadow --check",
            "  penumbra run shadow-vs-ept --paging pae --check",
            "  penumbra run shadow-vs-ept --trace ls.trace.xz --memory 1G --out results/ls",
            "  penumbra run shadow-mechanisms --workload fork-heavy --design shadow,shadow:unsync=off:previous-roots=0",
            "  penumbra run shadow-vs-ept --workload boot:kernel.elf --append verbose --design shadow,ept --check",
            "  penumbra run hot-swap --workload fork-heavy --vcpus 4 --every 5000 --host-events"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:every trial finished",
            "1:a trial failed, or results could not be written; what had finished is kept",
            "2:the request was refused; nothing was run or written",
            "3:a translation was wrong (--check), a guest ran differently under two designs, or a swap lost something",
            "130:interrupted; the results of the finished trials are kept"
        })
final class RunCommand implements Callable<Integer> {
    /** So many disagreements are printed; run.json has all. */
    private static final int COMPLAINTS = 5;
    /** Those that a study takes. */
    private static final Set<String> STUDY_OPTIONS = Set.of("hardware", "figure", "plugins", "quiet", "stacktrace", "json");

    private final Session session;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "EXPERIMENT", description = "What to run; 'penumbra list experiments' names them.")
    private String experiment;

    @Option(names = "--workload", split = ",", paramLabel = "NAME",
            description = "Run these workloads instead of the experiment's own; a * at the end stands for anything: 'trace:*'. "
                    + "boot:FILE is a kernel that 'penumbra boot' would boot.")
    private List<String> workloads = new ArrayList<>();

    @Option(names = "--trace", paramLabel = "FILE",
            description = "Run the memory trace in FILE instead of the experiment's workloads; can be repeated. "
                    + "'penumbra trace record' makes one.")
    private List<Path> traces = new ArrayList<>();

    @Option(names = "--append", paramLabel = "TEXT", defaultValue = "", description = "The command line of kernels among the workloads.")
    private String append;

    @Option(names = "--module", paramLabel = "FILE[,TEXT]",
            description = "A module that such a kernel is booted with, and its command line; can be repeated.")
    private List<String> modules = new ArrayList<>();

    @Option(names = "--engine", paramLabel = "NAME", defaultValue = EngineFactory.X86,
            description = "What executes such a kernel (default: ${DEFAULT-VALUE}); x86-interpreter makes no methods of hot code.")
    private String engine;

    @Option(names = "--design", split = ",", paramLabel = "NAME",
            description = "Compare these designs instead of the experiment's own: native, any installed MMU, or an MMU with -2m "
                    + "added for a host that uses 2 MiB pages; each may carry settings of its own: shadow:unsync=off.")
    private List<String> designs = new ArrayList<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of a design; 'penumbra list designs' names them.")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json", defaultValue = "skylake",
            description = "The processor model (default: ${DEFAULT-VALUE}).")
    private String hardware;

    @Option(names = "--figure", paramLabel = "KEY=VALUE",
            description = "Change a figure of the processor model; 'penumbra hardware show' names them. data-cache.model=0 prices all "
                    + "references of walks alike; tlb.model=0 is a fast functional TLB, with which what TLBs and walks do and cost is not measured.")
    private Map<String, Long> figures = new LinkedHashMap<>();

    @Option(names = "--memory", paramLabel = "SIZE", defaultValue = "256M", converter = MemorySize.class,
            description = "Guest memory, a multiple of 2 MiB (default: ${DEFAULT-VALUE}).")
    private long memory;

    @Option(names = "--paging", paramLabel = "MODE", defaultValue = "4level",
            description = "The paging mode of the guests; 'penumbra list paging' says what each is (default: ${DEFAULT-VALUE}).")
    private String paging;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1",
            description = "What random choices of a workload start from (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--repetitions", paramLabel = "N", defaultValue = "1",
            description = "How often each trial runs, each time with the next seed (default: ${DEFAULT-VALUE}).")
    private int repetitions;

    @Option(names = "--check", negatable = true,
            description = "Compare every translation with the specification. Slow; hot-swap does it unless --no-check is given.")
    private boolean check;

    @Mixin
    private PluginsOption plugins;

    @Option(names = "--vcpus", split = ",", paramLabel = "N", description = "Numbers of vCPUs, for hot-swap (default: 1,4).")
    private List<Integer> vcpus = new ArrayList<>();

    @Option(names = "--every", paramLabel = "N",
            description = "Swap after so many operations of each vCPU, for hot-swap (default: ${DEFAULT-VALUE}).")
    private long every = SwapRequest.DEFAULT.every();

    @Option(names = "--after", paramLabel = "N",
            description = "Operations of each vCPU before the first swap, if that is more, for hot-swap (default: ${DEFAULT-VALUE}).")
    private long after = SwapRequest.DEFAULT.after();

    @Option(names = "--host-events", description = "Between swaps the host swaps out, migrates and merges pages of the guest, for hot-swap.")
    private boolean hostEvents;

    @Option(names = "--histogram", paramLabel = "FILE",
            description = "Write percentiles of the wall time for which swaps stopped the guest into FILE, for hot-swap.")
    private Path histogram;

    @Mixin
    private EventOptions events;

    @Option(names = "--out", paramLabel = "DIR", description = "Write results.csv, run.json and timings.json into DIR.")
    private Path out;

    @Option(names = "--force", description = "Let --out, --histogram, --events and --jfr replace the files of an earlier run.")
    private boolean force;

    @Option(names = {"-q", "--quiet"}, description = "No progress, and no tables of exits.")
    private boolean quiet;

    @Option(names = "--stacktrace", description = "Print where in the program a failed trial failed.")
    private boolean stacktrace;

    RunCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException {
        plugins.watch(session.late());
        Optional<Experiment> study = Experiment.ALL.stream().filter(e -> e.kind() == Experiment.Kind.STUDY && e.id().equals(experiment)).findFirst();
        if (study.isPresent()) {
            return study(study.get());
        }
        Plan plan = new Planner(session.services(), session.traceWorkload()).plan(request());
        if (given().contains("events") || given().contains("jfr")) {
            Planner.requireModelledTlbs("the time axis of --events and --jfr, simulated cycles,", plan.hardware());
        }
        ResultsFolder folder = out == null ? null : new ResultsFolder(out, force);
        PauseHistogram pauses = histogram == null ? null : new PauseHistogram(histogram, force);
        try (Interrupt interrupt = session.interrupts().get(); EventOptions.Files files = events.open(force)) {
            RunMonitor monitor = new RunMonitor(session, plan, folder, files, quiet, stacktrace);
            CampaignResult result = new Campaign(session.services(), plan).run(monitor, interrupt::asked);
            session.console().answer(() -> RunJson.withResults(result, session.services().bundles()), () -> tables(result));
            int code = judge(result);
            if (pauses != null) {
                pauses.write(result);
            }
            return code == ExitCodes.OK && monitor.writeFailed() ? ExitCodes.FAILED : code;
        }
    }

    private Integer study(Experiment asked) {
        given().stream().filter(o -> !STUDY_OPTIONS.contains(o)).sorted().findFirst().ifPresent(o -> {
            throw new RefusedException("--" + o + ": experiment '" + asked.id() + "' brings its own guests; it takes --hardware and --figure");
        });
        CostProfile profile = new Planner(session.services(), session.traceWorkload()).hardware(hardware, figures).profile();
        Planner.requireModelledTlbs("experiment '" + asked.id() + "'", profile);
        StudyResult result;
        try {
            result = Study.of(asked).run(session.services(), profile);
        } catch (MachineException e) {
            session.console().complain(e.getMessage());
            return ExitCodes.FAILED;
        }
        session.console().answer(() -> result.document(asked.id(), profile.name()), () -> result.lines(session.console().emphasis()));
        result.violations().forEach(session.console()::complain);
        return result.violations().isEmpty() ? ExitCodes.OK : ExitCodes.WRONG;
    }

    /** The options that the person gave, without dashes. */
    private Set<String> given() {
        return spec.commandLine().getParseResult().matchedOptions().stream().map(o -> o.longestName().substring(2)).collect(Collectors.toSet());
    }

    private RunRequest request() {
        Set<String> given = given();
        return new RunRequest(experiment, workloads, traces, new KernelRequest(append, modules, engine), designs, hardware, figures, memory, paging, seed, repetitions, settings,
                check, vcpus, new SwapRequest(every, after, hostEvents), given);
    }

    private List<String> tables(CampaignResult result) {
        if (result.plan().experiment().kind() == Experiment.Kind.SWAPS) {
            return SwapTable.lines(result, session.console().emphasis());
        }
        List<String> lines = new ArrayList<>(table(result));
        lines.addAll(CheckReport.lines(result, session.console().emphasis()));
        if (!quiet) {
            lines.addAll(ExitReport.lines(result, session.console().emphasis()));
        }
        return lines;
    }

    private List<String> table(CampaignResult result) {
        UnaryOperator<String> emphasis = session.console().emphasis();
        switch (result.plan().experiment().kind()) {
            case ABLATION:
                return AblationReport.lines(result, emphasis);
            case NESTING:
                return NestingReport.lines(result, emphasis);
            default:
                return SummaryReport.lines(result, emphasis);
        }
    }

    /** Says what is wrong with a result, and answers the exit code. */
    private int judge(CampaignResult result) {
        Console console = session.console();
        for (TrialResult r : result.finished()) {
            if (r.check() != null && r.check().wrong() > 0) {
                console.complain(r.trial().title() + ": " + r.check().wrong() + " of " + r.check().compared()
                        + " translations are not allowed by the architecture; the first of them:");
                r.check().complaints().forEach(c -> console.err().println("  " + c));
            }
        }
        List<String> disagreements = Agreement.violations(result.finished());
        disagreements.stream().limit(COMPLAINTS).forEach(console::complain);
        if (disagreements.size() > COMPLAINTS) {
            console.complain("… and so did " + (disagreements.size() - COMPLAINTS) + " more");
        }
        console.err().flush();
        if (result.interrupted()) {
            console.complain("interrupted after " + result.finished().size() + " of " + result.plan().trials().size() + " trials");
            return ExitCodes.INTERRUPTED;
        }
        if (result.wrong() > 0 || !disagreements.isEmpty()) {
            return ExitCodes.WRONG;
        }
        return result.failures().isEmpty() ? ExitCodes.OK : ExitCodes.FAILED;
    }
}
