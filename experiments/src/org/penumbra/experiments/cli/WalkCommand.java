package org.penumbra.experiments.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.PagingModes;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;
import org.penumbra.experiments.walk.PageSize;
import org.penumbra.experiments.walk.WalkJson;
import org.penumbra.experiments.walk.WalkPart;
import org.penumbra.experiments.walk.WalkRequest;
import org.penumbra.experiments.walk.WalkResult;
import org.penumbra.experiments.walk.WalkRun;
import org.penumbra.experiments.walk.WalkText;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code penumbra walk}. */
@Command(
        name = "walk",
        sortOptions = false,
        description = {
            "Shows how one address is translated, step by step: each entry that is read, in words, which cache served it, and which VM "
                    + "exits it takes.",
            "",
            "A small guest maps the address by a page of its own tables and accesses it: first with the MMU having nothing yet, then "
                    + "with everything cached dropped, then again, then the page next to it."
        },
        customSynopsis = "penumbra walk --gva ADDRESS [OPTIONS]",
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra walk --gva 0x7f1234567000                           24 references of a nested walk",
            "  penumbra walk --gva 0x7f1234567000 --mmu native              4 without a hypervisor",
            "  penumbra walk --gva 0x7f1234567000 --mmu shadow              4 to the shadow tables",
            "  penumbra walk --gva 0x7f1234567000 --mmu ept-2m --page 2M    15 with large pages",
            "  penumbra walk --gva 0x401000 --mode pae --access supervisor-write",
            "  penumbra walk --gva 0x401000 --mode 5level --set ept.levels=5 --hardware icelake-server"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:shown",
            "1:the machine could not go on",
            "2:the request was refused; nothing was run",
            "3:the processor's statistics disagree with the references that are shown"
        })
final class WalkCommand implements Callable<Integer> {
    /** Every kind that a user can ask for, by its name with a hyphen. */
    private static final List<Integer> ACCESSES = IntStream.of(Access.READ, Access.WRITE, Access.FETCH)
            .flatMap(a -> IntStream.of(a | Access.USER, a)).boxed().toList();

    private final Session session;

    @Option(names = "--gva", required = true, paramLabel = "ADDRESS", description = "The linear address, as 0x7f1234567000 or in decimal.")
    private String gva;

    @Option(names = "--mmu", paramLabel = "NAME", defaultValue = "ept",
            description = "native, any installed MMU, or an MMU with -2m added for a host that uses 2 MiB pages (default: ${DEFAULT-VALUE}).")
    private String mmu;

    @Option(names = "--mode", paramLabel = "NAME", defaultValue = "4level",
            description = "The guest's paging mode: none, 32bit, pae, 4level or 5level (default: ${DEFAULT-VALUE}).")
    private String mode;

    @Option(names = "--page", paramLabel = "SIZE", defaultValue = "4K",
            description = "The guest's page: 4K, 2M, 4M or 1G, as far as the mode has it (default: ${DEFAULT-VALUE}).")
    private String page;

    @Option(names = "--access", paramLabel = "KIND", defaultValue = "user-read",
            description = "user- or supervisor-, and read, write or fetch (default: ${DEFAULT-VALUE}).")
    private String access;

    @Option(names = "--hardware", paramLabel = "NAME|FILE.json", defaultValue = "skylake",
            description = "The processor model (default: ${DEFAULT-VALUE}).")
    private String hardware;

    @Option(names = "--figure", paramLabel = "KEY=VALUE",
            description = "Change a figure of the processor model; 'penumbra hardware show' names them.")
    private Map<String, Long> figures = new LinkedHashMap<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of the MMU; 'penumbra list designs' names them.")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Mixin
    private PluginsOption plugins;

    WalkCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        plugins.watch(session.late());
        WalkRequest request = request();
        WalkResult result;
        try {
            result = new WalkRun(session.services(), request).run();
        } catch (MachineException e) {
            session.console().complain(e.getMessage());
            return ExitCodes.FAILED;
        }
        session.console().answer(() -> WalkJson.document(result), () -> WalkText.lines(result, session.console().emphasis()));
        List<WalkPart> wrong = result.parts().stream().filter(p -> !p.consistent()).toList();
        wrong.forEach(p -> session.console().complain("access '" + p.kind().label() + "': " + p.guestReferences() + " guest and "
                + p.hostReferences() + " host references are shown, and the processor counted " + p.countedGuest() + " and "
                + p.countedHost()));
        return wrong.isEmpty() ? ExitCodes.OK : ExitCodes.WRONG;
    }

    private WalkRequest request() {
        PagingMode pagingMode = PagingModes.named("--mode", mode);
        PageSize size = choose("--page", "page size", page, List.of(PageSize.values()), PageSize::label);
        int kind = choose("--access", "kind of access", access, ACCESSES, a -> Access.describe(a).replace(' ', '-'));
        long address = address();
        Design design = new Designs(session.services()).select(List.of(mmu), settings, "--mmu").get(0);
        CostProfile profile = new Planner(session.services(), session.traceWorkload()).hardware(hardware, figures).profile();
        Planner.requireModelledTlbs("walk", profile);
        PagingModes.require("--mode", pagingMode, profile, session.services().costProfiles().map(CostProfiles::all).orElse(List.of()));
        return new WalkRequest(address, pagingMode, size, kind, design, profile);
    }

    private long address() {
        try {
            String digits = gva.strip().replace("_", "");
            return digits.startsWith("0x") || digits.startsWith("0X") ? Long.parseUnsignedLong(digits.substring(2), 16)
                    : Long.parseUnsignedLong(digits);
        } catch (NumberFormatException e) {
            throw new RefusedException("--gva: '" + gva + "' is no address of 64 bits; write for example 0x7f1234567000", e);
        }
    }

    private static <T> T choose(String option, String what, String given, List<T> known, Function<T, String> label) {
        return known.stream().filter(k -> label.apply(k).equalsIgnoreCase(given)).findFirst().orElseThrow(
                () -> new RefusedException(option + ": " + Suggestions.unknown(what, given, known.stream().map(label).toList())));
    }
}
