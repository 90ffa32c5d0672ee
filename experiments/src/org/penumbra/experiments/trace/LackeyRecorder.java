package org.penumbra.experiments.trace;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.penumbra.experiments.trace.Recording.Ending;

/**
 * Runs a program under Valgrind's tool lackey and writes the memory trace of it.
 *
 * <p>The program keeps this process's standard input, output and error; the trace comes by a pipe of its own. It is checked,
 * counted and compressed on the way and never stored as text. At the head of the file stand comments with the command,
 * Valgrind's version, the host's kernel and architecture, and what was skipped; no date, so that recording the same program
 * again on the same system can give the same bytes.
 *
 * <p><b>What is traced.</b> The one process that is started: all its threads, one after the other as Valgrind runs them, and
 * not told apart in the trace. Children that it forks, and programs that it or they execute, run untraced
 * ({@code --trace-children=no}, {@code --child-silent-after-fork=yes}). So a shell script or a compiler driver shows little:
 * record the program that does the work. Valgrind's configuration files and {@code VALGRIND_OPTS} are not read.
 *
 * <p><b>How it ends.</b> The trace appears under its name complete, or not at all. When the limit is reached the program and
 * its descendants are killed. When the virtual machine is told to end (Ctrl-C, SIGTERM) they are killed too, and what was
 * recorded so far becomes the trace, as with a limit; only a virtual machine that is itself killed leaves a hidden
 * {@code .part} file behind and no trace. If no record was written there is no trace, and an exception says why.
 *
 * <p>Needs Linux. A recorder holds no state: it can record several programs, from several threads.
 */
public final class LackeyRecorder {

    private final String valgrind;
    private final UnaryOperator<ProcessBuilder> streams;

    /** A recorder that uses the {@code valgrind} of the search path. */
    public LackeyRecorder() {
        this("valgrind");
    }

    /** A recorder that uses another Valgrind: a path, or a name that is looked up on the search path. */
    public LackeyRecorder(String valgrind) {
        this(valgrind, ProcessBuilder::inheritIO);
    }

    /**
     * A recorder whose programs do not share this process's standard streams.
     *
     * @param valgrind a path, or a name that is looked up on the search path
     * @param streams is given the program before it starts and says where its standard streams go; a stream that is piped to
     *        this process and that nobody reads stops the program
     */
    public LackeyRecorder(String valgrind, UnaryOperator<ProcessBuilder> streams) {
        this.valgrind = valgrind;
        this.streams = streams;
    }

    /**
     * Records, and returns when the program has ended and the trace is in its place.
     *
     * @throws IOException with one clear line if Valgrind is missing, the target cannot be written, or the program gave no
     *         record (it could not be started, or ended before the records to skip were over)
     * @throws InterruptedException if the thread is interrupted before the program runs or after it has ended; while records
     *         arrive an interrupt is not noticed
     * @throws IllegalStateException if the virtual machine is already ending
     */
    public Recording record(RecordingRequest request) throws IOException, InterruptedException {
        String version = version();
        try (ProgramGuard guard = new ProgramGuard();
                TraceWriter writer = TraceWriter.create(request.target(), provenance(request, version));
                LackeyPipe pipe = LackeyPipe.create()) {
            Process program = streams.apply(new ProcessBuilder(command(request, pipe))).start();
            guard.guard(program);
            CompletableFuture<Void> ended = program.onExit().thenRunAsync(pipe::end);
            long seen = copy(request, pipe, guard, writer);
            ended.join();
            int status = program.exitValue();
            long records = writer.records();
            if (records == 0) {
                throw new IOException(nothingRecorded(request, seen, status, guard.stopped()));
            }
            long bytes = writer.commit();
            Ending ending = records == request.limit() ? Ending.LIMIT_REACHED
                    : guard.stopped() ? Ending.INTERRUPTED : Ending.PROGRAM_ENDED;
            return new Recording(request.target(), records, request.skip(), bytes, ending, status);
        }
    }

    /**
     * Copies the wanted records from the pipe to the writer and returns how many came, wanted or not. Afterwards the program
     * has ended or is being killed, and the pipe is read to its end, also if this throws.
     */
    private static long copy(RecordingRequest request, LackeyPipe pipe, ProgramGuard guard, TraceWriter writer)
            throws IOException {
        TraceBatch batch = new TraceBatch(4096);
        try (TraceReader reader = TraceSource.live("valgrind's output", pipe.in())) {
            boolean ended = false;
            try {
                while (!ended && writer.records() < request.limit()) {
                    long before = reader.records();
                    ended = reader.read(batch) == 0;
                    int from = (int) Math.min(batch.count, Math.max(0, request.skip() - before));
                    int wanted = (int) Math.min(batch.count - from, request.limit() - writer.records());
                    writer.write(batch, from, from + wanted);
                }
                return reader.records();
            } finally {
                if (!ended) {
                    guard.kill();
                }
            }
        }
    }

    private List<String> command(RecordingRequest request, LackeyPipe pipe) {
        List<String> command = new ArrayList<>(List.of(valgrind, "--command-line-only=yes", "--tool=lackey",
                "--trace-mem=yes", "--trace-children=no", "--child-silent-after-fork=yes", "--vgdb=no", pipe.argument(),
                "--"));
        command.addAll(request.command());
        return command;
    }

    /** What Valgrind calls itself, for example {@code valgrind-3.19.0}. */
    private String version() throws IOException, InterruptedException {
        Process process;
        try {
            process = new ProcessBuilder(valgrind, "--version").redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new IOException(
                    valgrind + ": cannot be run, and recording needs it; install the Debian package valgrind", e);
        }
        process.getOutputStream().close();
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        int status = process.waitFor();
        if (status != 0 || !answer.startsWith("valgrind-")) {
            throw new IOException(valgrind + ": answers --version with exit status " + status + " and \""
                    + answer.lines().findFirst().orElse("")
                    + "\", so it is no working Valgrind; install the Debian package valgrind");
        }
        return answer;
    }

    private static List<String> provenance(RecordingRequest request, String version) {
        String limit = request.limit() == RecordingRequest.NO_LIMIT ? "none" : Long.toString(request.limit());
        // The kernel's own number: what a distributor or a site appends to it can name a machine.
        String kernel = System.getProperty("os.version").replaceFirst("[^0-9.].*", "");
        return List.of(
                "memory trace of one process: kind, address (hexadecimal), size in bytes",
                "command: " + request.command().stream().map(LackeyRecorder::quoted).collect(Collectors.joining(" ")),
                "recorder: " + version + " --tool=lackey --trace-mem=yes",
                "host: " + System.getProperty("os.name") + " " + kernel + " " + System.getProperty("os.arch"),
                "skipped records: " + request.skip() + ", limit: " + limit);
    }

    /** An argument as it would be typed into a shell. */
    private static String quoted(String argument) {
        return argument.matches("[\\w./:=,+@%-]+") ? argument : "'" + argument.replace("'", "'\\''") + "'";
    }

    private static String nothingRecorded(RecordingRequest request, long seen, int status, boolean stopped) {
        String command = quoted(request.command().get(0));
        if (stopped) {
            return command + ": interrupted before the first record was written; there is no trace";
        }
        if (seen == 0) {
            return command + ": gave no record (exit status " + status + "); name a program that runs under valgrind";
        }
        return command + ": ended after " + seen + " records (exit status " + status + "), so that none is left after the "
                + request.skip() + " to skip; skip fewer";
    }
}
