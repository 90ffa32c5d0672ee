package org.penumbra.experiments.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.api.plugin.PluginTools.Offer;
import org.penumbra.experiments.report.ConsoleTable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code penumbra plugin search}. */
@Command(
        name = "search",
        description = {"Lists what repositories have; with WORDS, those whose name, description or designs have all of them.", ""},
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra plugin search --index http://localhost:8000/index.xml agile"})
final class PluginSearchCommand implements Callable<Integer> {
    private final Session session;

    @Mixin
    private IndexOption index;

    @Parameters(arity = "0..*", paramLabel = "WORDS", description = "What to look for.")
    private List<String> words = List.of();

    PluginSearchCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        List<Offer> offers = session.late().plugins().search(index.uris(), words);
        session.console().answer(() -> offers.stream().map(PluginSearchCommand::document).toList(), () -> lines(offers));
        return ExitCodes.OK;
    }

    private static Map<String, Object> document(Offer offer) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("name", offer.name());
        d.put("version", offer.version());
        d.put("designs", offer.designs());
        d.put("description", offer.description());
        d.put("content", offer.content().toString());
        return d;
    }

    private List<String> lines(List<Offer> offers) {
        if (offers.isEmpty()) {
            return List.of("nothing found");
        }
        ConsoleTable table = new ConsoleTable("llll", "Plugin", "Version", "Designs", "Description");
        offers.forEach(o -> table.row(o.name(), o.version(), o.designs().isEmpty() ? "-" : String.join(",", o.designs()), o.description()));
        return table.lines(session.console().emphasis());
    }
}
