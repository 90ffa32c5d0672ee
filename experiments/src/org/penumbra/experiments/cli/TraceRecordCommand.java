package org.penumbra.experiments.cli;

import java.io.File;
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
import org.penumbra.experiments.trace.LackeyRecorder;
import org.penumbra.experiments.trace.Recording;
import org.penumbra.experiments.trace.RecordingRequest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code penumbra trace record}. */
@Command(
        name = "record",
        sortOptions = false,
        description = {
            "Runs a program under Valgrind and records every memory access it makes.",
            "",
            "One process is recorded, with all its threads; children and programs that it executes are not. It runs a hundred times "
                    + "slower than usual. Ctrl-C ends it, and what was recorded so far becomes the trace.",
            ""
        },
        customSynopsis = "penumbra trace record [--out FILE] [--limit N] [--skip N] [--force] [--json] [--] COMMAND...",
        synopsisHeading = "Usage: ",
        parameterListHeading = "",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {
            "  penumbra trace record -- ls -l /",
            "  penumbra trace record --out sort.trace.xz --skip 100000 --limit 20000000 -- sort words.txt",
            "  penumbra run shadow-vs-ept --trace sort.trace.xz"
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:recorded, whatever the program's own exit status",
            "1:nothing was recorded; Valgrind is missing, or the program cannot be run",
            "2:the request was refused",
            "130:interrupted; the trace up to there is kept"
        })
final class TraceRecordCommand implements Callable<Integer> {
    private final Session session;

    @Parameters(arity = "1..*", paramLabel = "COMMAND", description = "The program to run and its arguments.")
    private List<String> command;

    @Option(names = "--out", paramLabel = "FILE",
            description = "The trace to write: binary if it ends in .ptrace, else text; .gz, .xz or .zst behind that compresses it (default: "
                    + "PROGRAM.trace.xz).")
    private Path out;

    @Option(names = "--limit", paramLabel = "N", description = "Stop the program after N records (default: never).")
    private long limit = RecordingRequest.NO_LIMIT;

    @Option(names = "--skip", paramLabel = "N", defaultValue = "0",
            description = "Leave out the first N records (default: ${DEFAULT-VALUE}).")
    private long skip;

    @Option(names = "--force", description = "Replace FILE if it exists.")
    private boolean force;

    TraceRecordCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        // with --json standard output is for the document alone
        LackeyRecorder recorder = session.console().json() ? new LackeyRecorder("valgrind",
                p -> p.inheritIO().redirectOutput(ProcessBuilder.Redirect.appendTo(new File("/dev/stderr")))) : new LackeyRecorder();
        Recording recording = recorder.record(request());
        session.console().answer(() -> document(recording), () -> lines(recording));
        return recording.ending() == Recording.Ending.INTERRUPTED ? ExitCodes.INTERRUPTED : ExitCodes.OK;
    }

    private RecordingRequest request() {
        Path program = Path.of(command.get(0)).getFileName();
        Path target = out != null ? out : Path.of((program == null ? "program" : program) + ".trace.xz");
        if (Files.exists(target) && !force) {
            throw new RefusedException("'" + target + "' exists; give another --out, or --force to replace it");
        }
        try {
            return new RecordingRequest(command, target, skip, limit);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        }
    }

    private static Map<String, Object> document(Recording r) {
        Map<String, Object> d = new LinkedHashMap<>();
        d.put("file", r.file().toString());
        d.put("records", r.records());
        d.put("skipped", r.skipped());
        d.put("bytes", r.bytes());
        d.put("ending", r.ending().name().toLowerCase(Locale.ROOT).replace('_', ' '));
        d.put("exit_status", r.exitStatus());
        return d;
    }

    private static List<String> lines(Recording r) {
        String why = switch (r.ending()) {
            case PROGRAM_ENDED -> "the program ended with exit status " + r.exitStatus();
            case LIMIT_REACHED -> "the limit was reached";
            case INTERRUPTED -> "interrupted";
        };
        return List.of(Figures.count(r.records()) + " records in " + r.file() + " (" + Figures.count(r.bytes()) + " bytes); " + why,
                "run it:  penumbra run shadow-vs-ept --trace " + r.file());
    }
}
