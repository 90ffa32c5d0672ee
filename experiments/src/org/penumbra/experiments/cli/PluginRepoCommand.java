package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code penumbra plugin repo}. */
@Command(
        name = "repo",
        description = {
            "Puts what plugins are built against where Maven finds it: API, MMU kit, test kit and laboratory, with sources and Javadoc.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra plugin repo                 into Maven's local repository: once, and after Penumbra has changed",
            "  penumbra plugin repo /srv/penumbra   into a repository that others name in their pom.xml"
        })
final class PluginRepoCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "0..1", paramLabel = "DIR", description = "A folder that is, or becomes, a Maven repository; the user's local one if left out.")
    private Path folder;

    PluginRepoCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        new ApiRepository(session.console()).publish(folder);
        session.console().answer(() -> ApiRepository.document(folder), () -> List.of(
                folder == null ? "The API is in Maven's local repository." : "The API is in " + folder + ", whose URL is " + folder.toAbsolutePath().normalize().toUri()));
        return ExitCodes.OK;
    }
}
