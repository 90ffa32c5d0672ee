package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.experiments.run.RefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra plugin publish}. */
@Command(
        name = "publish",
        sortOptions = false,
        description = {
            "Writes the index of an OSGi repository (XML) for jars: what each offers and needs, its place relative to the index, and its checksum. "
                    + "Served by any web server, or from a folder, it is what search, install and update work on.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra plugin publish target/my-mmu-1.0.0.jar", "  penumbra plugin publish --index /srv/plugins/index.xml /srv/plugins/*.jar"})
final class PluginPublishCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "1..*", paramLabel = "JAR", description = "The jars: everything that the index is to have.")
    private List<Path> jars;

    @Option(names = "--index", paramLabel = "FILE", description = "The index; index.xml beside the first jar if left out.")
    private Path index;

    PluginPublishCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Path file = index == null ? jars.get(0).toAbsolutePath().normalize().resolveSibling("index.xml") : index;
        List<String> objections = new ArrayList<>();
        jars.forEach(jar -> objections.addAll(session.late().plugins().objections(jar).stream()
                .filter(o -> o.contains(" is no bundle") || o.contains(" exports ") || o.contains("no such file")).toList()));
        if (!objections.isEmpty()) {
            throw new RefusedException(objections.get(0));
        }
        session.late().plugins().publish(file, jars);
        session.console().answer(() -> Map.of("index", file.toString(), "jars", jars.size()),
                () -> List.of(file + " has " + jars.size() + (jars.size() == 1 ? " bundle" : " bundles")));
        return ExitCodes.OK;
    }
}
