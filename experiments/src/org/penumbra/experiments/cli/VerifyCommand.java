package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VerificationReport.Disagreement;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.report.VerifyReport;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.ServiceRegistry.Named;
import org.penumbra.experiments.run.Suggestions;
import org.penumbra.experiments.run.Verifier;
import org.penumbra.experiments.run.VerifyRequest;
import org.penumbra.experiments.run.VerifyResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra verify}. */
@Command(
        name = "verify",
        sortOptions = false,
        description = {
            "Compares a whole machine with the specification, vector by vector.",
            "",
            "Each vector is a situation that a guest gets itself into: entries of its tables, control registers, an access. The outcome, "
                    + "the error code, accessed and dirty bits and the place that the access reached are compared, then the same access "
                    + "once more. 'contract' tries what must hold for every MMU with random guests; 'mutants' does so with designs that each "
                    + "have one historical bug, and says which property found it. Without a name, lists them all.",
            ""
        },
        customSynopsis = "penumbra verify [NAME] [OPTIONS]",
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra verify",
            "  penumbra verify lattice --mmu shadow --mode 4level",
            "  penumbra verify lattice --mmu ept-2m --mode pae --sample 100000 --seed 7",
            "  penumbra verify lattice --mmu shadow --first 123456 --vectors 1     a vector that disagreed, alone",
            "  penumbra verify lattice --mmu ept --nested ept                      in a guest's guest: EPT on EPT",
            "  penumbra verify contract --mmu shadow",
            "  penumbra verify contract --mmu shadow --nested shadow               shadow on shadow",
            "  penumbra verify contract --mmu shadow --only races --seed 17 --effort 1",
            "  penumbra verify mutants"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:no vector disagreed",
            "1:the machine could not go on; what had been found is printed",
            "2:the request was refused; nothing was run",
            "3:machine and specification disagreed",
            "130:interrupted; what had been found is printed"
        })
final class VerifyCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "The verification.")
    private String name;

    @Option(names = "--mmu", paramLabel = "NAME", defaultValue = "native",
            description = "The design to verify: native, any installed MMU, or an MMU with -2m added for a host that uses 2 MiB pages "
                    + "(default: ${DEFAULT-VALUE}).")
    private String mmu;

    @Option(names = "--nested", paramLabel = "NAME", defaultValue = "none",
            description = "What stands between the machine and the guest that is verified: none, or a guest hypervisor whose guest that is then: "
                    + "by VMX shadow (without EPT), ept or ept-2m (with EPT pages of 4 KiB or 2 MiB), by SVM svm-shadow, npt or npt-2m (default: ${DEFAULT-VALUE}).")
    private String nested;

    @Option(names = "--mode", paramLabel = "MODE", defaultValue = "4level",
            description = "The guest's paging mode: none, 32bit, pae, 4level or 5level (default: ${DEFAULT-VALUE}).")
    private String mode;

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json", defaultValue = "skylake",
            description = "The processor model (default: ${DEFAULT-VALUE}).")
    private String hardware;

    @Option(names = "--figure", paramLabel = "KEY=VALUE",
            description = "Change a figure of the processor model: cpu.maxphyaddr=39 moves the reserved bits.")
    private Map<String, Long> figures = new LinkedHashMap<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of the design; 'penumbra list designs' names them.")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Option(names = "--sample", paramLabel = "N", description = "Run about N vectors, spread evenly, instead of all.")
    private long sample;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Which they are (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--only", split = ",", paramLabel = "NAME", description = "Of contract these properties, of mutants these mutants.")
    private List<String> only = new ArrayList<>();

    @Option(names = "--effort", paramLabel = "N", defaultValue = "1",
            description = "For contract and mutants: how often each configuration of a property is tried (default: ${DEFAULT-VALUE}).")
    private int effort;

    @Option(names = "--first", paramLabel = "NUMBER", description = "Begin at vector NUMBER (default: 0).")
    private long first;

    @Option(names = "--vectors", paramLabel = "MAX", description = "Stop after MAX vectors.")
    private long most = Long.MAX_VALUE;

    @Option(names = {"-q", "--quiet"}, description = "No progress.")
    private boolean quiet;

    @Mixin
    private PluginsOption plugins;

    VerifyCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        plugins.watch(session.late());
        if (name == null) {
            Listing all = Listing.verifications(
                    session.services(), new Planner(session.services(), session.traceWorkload()).hardware(hardware).profile());
            session.console().answer(all::entries, () -> all.lines(session.console().emphasis()));
            return ExitCodes.OK;
        }
        requireAtLeast(1, "--effort", effort);
        Nesting nesting = Nesting.named(nested)
                .orElseThrow(() -> new RefusedException("--nested: " + Suggestions.unknown("guest hypervisor", nested, Nesting.labels())));
        Optional<DesignCheck> check = session.services().checks().stream().filter(c -> c.name().equals(name)).map(Named::service).findFirst();
        if (check.isPresent()) {
            return new DesignChecking(session, check.get(), name, quiet).run(mmu, nesting, settings, only, seed, effort);
        }
        requireAtLeast(0, "--first", first);
        requireAtLeast(0, "--sample", sample);
        requireAtLeast(1, "--vectors", most);
        Verifier verifier = new Verifier(session.services(), session.traceWorkload(),
                new VerifyRequest(name, mmu, nesting, mode, hardware, figures, settings, first, most, sample, seed));
        try (Interrupt interrupt = session.interrupts().get()) {
            StatusLine status = new StatusLine(session.console(), quiet);
            VerifyResult result = verifier.run(done -> {
                double share = (double) done / verifier.planned();
                status.show(name + " " + mode + " under " + VerifyReport.arrangement(mmu, nesting), share, share);
            }, interrupt::asked);
            status.clear();
            session.console().answer(() -> VerifyReport.document(result), () -> VerifyReport.lines(result, session.console().emphasis()));
            return judge(result);
        }
    }

    private static void requireAtLeast(long least, String option, long number) {
        if (number < least) {
            throw new RefusedException(option + ": " + number + "; " + least + " or more is needed");
        }
    }

    private int judge(VerifyResult result) {
        Console console = session.console();
        long wrong = result.report().disagreements();
        if (wrong > 0) {
            console.complain(Figures.count(wrong) + (wrong == 1 ? " vector disagrees" : " vectors disagree")
                    + " with the specification; the first of them:");
            for (Disagreement d : result.report().details()) {
                console.err().println("  vector " + d.vector() + ": " + d.situation());
                console.err().println("    " + d.found());
            }
            console.err().flush();
        }
        if (!result.failure().isEmpty()) {
            console.complain("the machine could not go on: " + result.failure());
        }
        if (result.interrupted()) {
            long done = result.report().run() + result.report().skipped().values().stream().mapToLong(n -> n).sum();
            console.complain("interrupted after " + Figures.count(done) + " of " + Figures.count(result.planned()) + " vectors");
            return ExitCodes.INTERRUPTED;
        }
        return wrong > 0 ? ExitCodes.WRONG : result.failure().isEmpty() ? ExitCodes.OK : ExitCodes.FAILED;
    }
}
