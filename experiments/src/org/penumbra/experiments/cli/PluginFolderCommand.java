package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.api.plugin.PluginTools;
import org.penumbra.api.plugin.PluginTools.Change;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What {@code penumbra plugin install}, {@code update} and {@code remove} have in common: they change a folder of plugins. */
abstract class PluginFolderCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--plugins", required = true, paramLabel = "DIR",
            description = "The folder. A container that runs with --plugins DIR follows at once.")
    private Path folder;

    PluginFolderCommand(Session session) {
        this.session = session;
    }

    abstract List<Change> change(PluginTools tools, Path plugins);

    @Override
    public Integer call() {
        List<Change> changes = change(session.late().plugins(), folder);
        session.console().answer(() -> changes.stream().map(PluginFolderCommand::document).toList(),
                () -> changes.isEmpty() ? List.of("there is nothing in '" + folder + "'")
                        : changes.stream().map(c -> c.action() + " " + c.name() + " " + c.version() + " (" + c.jar() + ")").toList());
        return ExitCodes.OK;
    }

    private static Map<String, Object> document(Change change) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("action", change.action());
        d.put("name", change.name());
        d.put("version", change.version());
        d.put("jar", change.jar().toString());
        return d;
    }

    /** {@code penumbra plugin install}. */
    @Command(
            name = "install",
            sortOptions = false,
            description = {
                "Puts plugins from repositories into a folder, with what else they need and the container does not have: all of it or nothing.",
                ""
            },
            synopsisHeading = "Usage: ",
            parameterListHeading = "",
            optionListHeading = "%nOptions:%n",
            footerHeading = "%nExamples:%n",
            footer = {"  penumbra plugin install --index http://localhost:8000/index.xml --plugins plugins agile"})
    static final class Install extends PluginFolderCommand {
        @Mixin
        private IndexOption index;

        @Parameters(arity = "1..*", paramLabel = "NAME", description = "A bundle, or a design that it brings; the newest version is taken.")
        private List<String> names;

        Install(Session session) {
            super(session);
        }

        @Override
        List<Change> change(PluginTools tools, Path plugins) {
            return tools.install(index.uris(), names, plugins);
        }
    }

    /** {@code penumbra plugin update}. */
    @Command(
            name = "update",
            sortOptions = false,
            description = {"Replaces plugins in a folder by newer versions from repositories, in place.", ""},
            synopsisHeading = "Usage: ",
            parameterListHeading = "",
            optionListHeading = "%nOptions:%n",
            footerHeading = "%nExamples:%n",
            footer = {"  penumbra plugin update --index http://localhost:8000/index.xml --plugins plugins"})
    static final class Update extends PluginFolderCommand {
        @Mixin
        private IndexOption index;

        @Parameters(arity = "0..*", paramLabel = "NAME", description = "Bundles; all that are there if left out.")
        private List<String> names = List.of();

        Update(Session session) {
            super(session);
        }

        @Override
        List<Change> change(PluginTools tools, Path plugins) {
            return tools.update(index.uris(), names, plugins);
        }
    }

    /** {@code penumbra plugin remove}. */
    @Command(
            name = "remove",
            sortOptions = false,
            description = {"Takes plugins out of a folder.", ""},
            synopsisHeading = "Usage: ",
            parameterListHeading = "",
            optionListHeading = "%nOptions:%n",
            footerHeading = "%nExamples:%n",
            footer = {"  penumbra plugin remove --plugins plugins org.example.agile"})
    static final class Remove extends PluginFolderCommand {
        @Parameters(arity = "1..*", paramLabel = "NAME", description = "Bundles.")
        private List<String> names;

        Remove(Session session) {
            super(session);
        }

        @Override
        List<Change> change(PluginTools tools, Path plugins) {
            return tools.remove(names, plugins);
        }
    }
}
