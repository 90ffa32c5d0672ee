package org.penumbra.experiments.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.trace.TraceSummary;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code penumbra trace info}. */
@Command(
        name = "info",
        description = {
            "Reads a trace to its end, and says how many records of each kind and size it has, and how many pages they touch.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  penumbra trace info ls.trace.xz"},
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:the trace is whole", "1:it is not there, or not a trace; the line in question is named"})
final class TraceInfoCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(paramLabel = "FILE", description = "The trace.")
    private Path file;

    TraceInfoCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException {
        TraceSummary s = TraceSummary.of(file);
        session.console().answer(() -> document(s), () -> lines(s));
        return ExitCodes.OK;
    }

    private Map<String, Object> document(TraceSummary s) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("file", file.toString());
        d.put("form", s.format().name().toLowerCase(Locale.ROOT));
        d.put("comments", s.comments());
        d.put("records", s.records());
        d.put("fetches", s.fetches());
        d.put("loads", s.loads());
        d.put("stores", s.stores());
        d.put("modifies", s.modifies());
        d.put("sizes", s.sizes());
        d.put("pages", s.pages());
        d.put("large_pages", s.largePages());
        d.put("code_pages", s.codePages());
        d.put("page_crossings", s.pageCrossings());
        return d;
    }

    private List<String> lines(TraceSummary s) {
        List<String> lines = new ArrayList<>(s.comments());
        lines.add("form: " + s.format().label());
        lines.add("");
        ConsoleTable table = new ConsoleTable("lrr", "Records", "Number", "Share");
        row(table, "instruction fetches", s.fetches(), s.records());
        row(table, "loads", s.loads(), s.records());
        row(table, "stores", s.stores(), s.records());
        row(table, "modifies", s.modifies(), s.records());
        row(table, "all", s.records(), s.records());
        lines.addAll(table.lines(session.console().emphasis()));
        ConsoleTable sizes = new ConsoleTable("rrr", "Bytes", "Number", "Share");
        s.sizes().forEach((size, number) -> row(sizes, Integer.toString(size), number, s.records()));
        lines.add("");
        lines.addAll(sizes.lines(session.console().emphasis()));
        lines.add("");
        lines.addAll(new ConsoleTable("lr", "Touched", "Number")
                .row("pages of 4 KiB", Figures.count(s.pages()))
                .row("those with code", Figures.count(s.codePages()))
                .row("pages of 2 MiB", Figures.count(s.largePages()))
                .row("page crossings", Figures.count(s.pageCrossings()))
                .lines(session.console().emphasis()));
        return lines;
    }

    private static void row(ConsoleTable table, String kind, long number, long all) {
        table.row(kind, Figures.count(number), Figures.percent(number, all));
    }
}
