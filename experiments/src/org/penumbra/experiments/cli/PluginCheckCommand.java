package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code penumbra plugin check}. */
@Command(
        name = "check",
        description = {
            "Says whether a container would take a jar, before anything of it is loaded: whether it is a whole bundle, was built for this API, "
                    + "keeps its packages to itself, and finds what it needs.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra plugin check target/my-mmu-1.0.0.jar"},
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:it would", "1:it would not, and why"})
final class PluginCheckCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "1..*", paramLabel = "JAR", description = "The jars.")
    private List<Path> jars;

    PluginCheckCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Map<String, List<String>> found = new LinkedHashMap<>();
        jars.forEach(jar -> found.put(jar.toString(), session.late().plugins().objections(jar)));
        session.console().answer(() -> found, () -> found.entrySet().stream()
                .flatMap(e -> e.getValue().isEmpty() ? Stream.of(e.getKey() + " is fine") : e.getValue().stream()).toList());
        return found.values().stream().allMatch(List::isEmpty) ? ExitCodes.OK : ExitCodes.FAILED;
    }
}
