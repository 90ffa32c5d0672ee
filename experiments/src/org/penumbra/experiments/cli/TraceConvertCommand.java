package org.penumbra.experiments.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.trace.TraceConversion;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra trace convert}. */
@Command(
        name = "convert",
        sortOptions = false,
        description = {
            "Writes a trace anew, in the form and compression that the name OUT says: Penumbra's binary form for .ptrace, lackey's text for "
                    + "any other name; .gz, .xz or .zst behind it compresses it. IN is known by its contents.",
            ""
        },
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra trace convert ls.trace.xz ls.ptrace       an eighth of the text, read four times as fast",
            "  penumbra trace convert ls.ptrace ls.trace          for other programs"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:converted",
            "1:IN is not there, or not a trace; OUT cannot be written, and is as it was",
            "2:the request was refused"
        })
final class TraceConvertCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(index = "0", paramLabel = "IN", description = "The trace.")
    private Path in;

    @Parameters(index = "1", paramLabel = "OUT", description = "The file to write.")
    private Path out;

    @Option(names = "--force", description = "Replace OUT if it exists.")
    private boolean force;

    TraceConvertCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException {
        if (Files.exists(out) && !force) {
            throw new RefusedException("'" + out + "' exists; give another name, or --force to replace it");
        }
        TraceConversion c = TraceConversion.convert(in, out);
        session.console().answer(() -> document(c), () -> lines(c));
        return ExitCodes.OK;
    }

    private static Map<String, Object> document(TraceConversion c) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("file", c.target().toString());
        d.put("from", c.from().name().toLowerCase(Locale.ROOT));
        d.put("to", c.to().name().toLowerCase(Locale.ROOT));
        d.put("records", c.records());
        d.put("bytes_before", c.bytesBefore());
        d.put("bytes", c.bytesAfter());
        return d;
    }

    private static List<String> lines(TraceConversion c) {
        return List.of(Figures.count(c.records()) + " records in " + c.target() + ", " + c.to().label() + " (" + Figures.count(c.bytesAfter())
                + " bytes; before, " + c.from().label() + ", " + Figures.count(c.bytesBefore()) + ")");
    }
}
