package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.api.plugin.PluginTools.Project;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra plugin new}. */
@Command(
        name = "new",
        sortOptions = false,
        description = {
            "Makes a project of your own for a plugin, from a template that works: it builds with 'mvn verify', and runs its tests on Penumbra's machines.",
            "",
            "What it is built against is put where Maven finds it first, as 'penumbra plugin repo' does.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra plugin new my-mmu", "  penumbra plugin new my-halts --kind handler --package org.example.halts"})
final class PluginNewCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(paramLabel = "NAME", description = "Small letters, digits and dashes; an MMU design and a workload are called so.")
    private String name;

    @Option(names = "--kind", paramLabel = "KIND", defaultValue = "mmu",
            description = "mmu (the default), handler, interrupt-controller or workload.")
    private String kind;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where the project is to be; ./NAME if left out.")
    private Path folder;

    @Option(names = "--package", paramLabel = "PACKAGE", description = "Its Java package; org.example and the name if left out.")
    private String packageName;

    @Option(names = "--no-repo", description = "Leave Maven's repository as it is.")
    private boolean noRepository;

    PluginNewCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Path place = folder == null ? Path.of(name) : folder;
        Project project = new Project(place, name, kind, packageName == null ? "org.example." + name.replace("-", "") : packageName);
        List<Path> files = session.late().plugins().create(project);
        if (!noRepository) {
            new ApiRepository(session.console()).publish(null);
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("folder", place.toString());
        document.put("files", files.stream().map(Path::toString).toList());
        session.console().answer(() -> document, () -> List.of(
                place + " is a project for " + (kind.equals("mmu") ? "an MMU" : kind.equals("interrupt-controller") ? "an " + kind : "a " + kind) + ". Next:",
                "  cd " + place + " && mvn verify",
                "Its README.md says more."));
        return ExitCodes.OK;
    }
}
