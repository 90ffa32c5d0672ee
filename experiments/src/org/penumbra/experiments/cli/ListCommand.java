package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Suggestions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code penumbra list}. */
@Command(
        name = "list",
        description = {
            "Lists what can be named in other commands.",
            "",
            "Designs and workloads are what the installed bundles offer: a bundle of your own adds its MMU here.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra list designs", "  penumbra list --json"},
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:listed", "2:there is no such list"})
final class ListCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "0..1", paramLabel = "WHAT", description = "experiments, designs, hardware, workloads, paging or tracepoints; all of them if left out.")
    private String what;

    ListCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Map<String, Listing> listings = Listing.all(session.services());
        if (what != null && !listings.containsKey(what)) {
            throw new RefusedException(Suggestions.unknown("list", what, listings.keySet()));
        }
        if (what != null) {
            listings.keySet().retainAll(List.of(what));
        }
        session.console().answer(() -> document(listings), () -> lines(listings));
        return ExitCodes.OK;
    }

    private static Map<String, Object> document(Map<String, Listing> listings) {
        Map<String, Object> document = new LinkedHashMap<>();
        listings.forEach((name, listing) -> document.put(name, listing.entries()));
        return document;
    }

    private List<String> lines(Map<String, Listing> listings) {
        List<String> lines = new ArrayList<>();
        for (Listing listing : listings.values()) {
            if (!lines.isEmpty()) {
                lines.add("");
            }
            lines.addAll(listing.lines(session.console().emphasis()));
        }
        return lines;
    }
}
