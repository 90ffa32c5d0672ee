package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.experiments.trace.TraceBatch.FETCH;
import static org.penumbra.experiments.trace.TraceBatch.LOAD;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.experiments.Signals;
import org.penumbra.experiments.trace.Recording.Ending;
import org.penumbra.experiments.trace.TraceFiles.Access;

/** Most tests run a shell script in the place of Valgrind: it writes a known trace into the pipe that it is given. */
@DisplayName("G07 recorder of real programs")
@EnabledOnOs(OS.LINUX)
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LackeyRecorderTest {

    @TempDir
    Path folder;

    /** A Valgrind that answers {@code --version} and otherwise runs {@code body} with {@code $log} set to its log file. */
    private Path fake(String body) throws IOException {
        Path script = folder.resolve("valgrind");
        Files.writeString(script, """
                #!/bin/sh
                if [ "$1" = --version ]; then echo valgrind-9.9.9; exit 0; fi
                while [ "$1" != -- ]; do
                  case "$1" in --log-file=*) log=${1#--log-file=};; esac
                  shift
                done
                shift
                """ + body);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
        return script;
    }

    private LackeyRecorder recorder(String body) throws IOException {
        return new LackeyRecorder(fake(body).toString(),
                program -> program.redirectErrorStream(true).redirectOutput(folder.resolve("output").toFile()));
    }

    private Recording record(String body, long skip, long limit) throws IOException, InterruptedException {
        return recorder(body).record(new RecordingRequest(List.of("prog", "an arg"), target(), skip, limit));
    }

    private Path target() {
        return folder.resolve("trace.zst");
    }

    private List<String> leftOver() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> !name.equals("valgrind"))
                    .filter(name -> !name.equals("output")).sorted().toList();
        }
    }

    private static final String TEN = """
            { echo '==1== Lackey'; for i in 0 1 2 3 4 5 6 7 8 9; do echo " L 0000100$i,8"; done; } > "$log"
            """;

    @Test
    @DisplayName("G07 a whole run is recorded; the program's own output is not in the trace")
    void wholeRun() throws Exception {
        Recording recording = record(TEN + "echo \"I  00001000,3 $*\"; exit 5", 0, RecordingRequest.NO_LIMIT);

        assertThat(recording).isEqualTo(
                new Recording(target(), 10, 0, Files.size(target()), Ending.PROGRAM_ENDED, 5));
        assertThat(TraceFiles.read(target())).hasSize(10).startsWith(new Access(LOAD, 0x1000, 8))
                .endsWith(new Access(LOAD, 0x1009, 8));
        assertThat(folder.resolve("output")).hasContent("I  00001000,3 prog an arg");
        assertThat(leftOver()).containsExactly("trace.zst");
    }

    @Test
    @DisplayName("G07 the head of the trace says what was recorded and how, and nothing that changes from run to run")
    void provenance() throws Exception {
        Path plain = folder.resolve("plain");
        recorder(TEN).record(new RecordingRequest(List.of("prog", "an arg", "it's"), plain, 2, 3));

        String kernel = System.getProperty("os.version").split("[^0-9.]", 2)[0];
        assertThat(Files.readAllLines(plain)).containsExactly(
                "# memory trace of one process: kind, address (hexadecimal), size in bytes",
                "# command: prog 'an arg' 'it'\\''s'",
                "# recorder: valgrind-9.9.9 --tool=lackey --trace-mem=yes",
                "# host: Linux " + kernel + " " + System.getProperty("os.arch"),
                "# skipped records: 2, limit: 3",
                " L 00001002,8",
                " L 00001003,8",
                " L 00001004,8");
    }

    @Test
    @DisplayName("G07 at the limit the program and its children are killed and the trace is complete")
    void limit() throws Exception {
        String endless = "sleep 1000 & echo $! > '" + folder.resolve("child")
                + "'\nwhile :; do echo ' L 00001000,8'; done > \"$log\"";
        Recording recording = record(endless, 4_990, 10_000);

        assertThat(recording.ending()).isEqualTo(Ending.LIMIT_REACHED);
        assertThat(recording.records()).isEqualTo(10_000);
        assertThat(recording.skipped()).isEqualTo(4_990);
        assertThat(recording.exitStatus()).isEqualTo(137);
        assertThat(TraceFiles.read(target())).hasSize(10_000);
        long child = Long.parseLong(Files.readString(folder.resolve("child")).strip());
        assertThat(diesWithin(Duration.ofSeconds(60), child)).isTrue();
    }

    /** Whether a process that was killed ends, on a busy machine a while after the signal. A zombie has ended. */
    private static boolean diesWithin(Duration time, long process) throws InterruptedException {
        long start = System.nanoTime();
        while (ProcessHandle.of(process).flatMap(p -> p.info().command()).isPresent()) {
            if (System.nanoTime() - start > time.toNanos()) {
                return false;
            }
            Thread.sleep(10);
        }
        return true;
    }

    @Test
    @DisplayName("G07 the limit is noticed at once, though the program falls silent with the last record")
    void silentAtTheLimit() throws Exception {
        long start = System.nanoTime();
        Recording recording = record("{ echo ' L 00001000,8'; echo ' L 00001001,8'; sleep 1000; } > \"$log\"", 0, 2);

        assertThat(recording.ending()).isEqualTo(Ending.LIMIT_REACHED);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(60));
    }

    @Test
    @DisplayName("G07 a child that the program leaves behind does not keep the recording from ending")
    void childLeftBehind() throws Exception {
        long start = System.nanoTime();
        Recording recording = record("exec 3> \"$log\"; echo ' L 00001000,8' >&3; sleep 90 >&3 & echo $! > '"
                + folder.resolve("child") + "'", 0, RecordingRequest.NO_LIMIT);
        long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
        long child = Long.parseLong(Files.readString(folder.resolve("child")).strip());
        ProcessHandle.of(child).ifPresent(ProcessHandle::destroy);

        assertThat(recording.records()).isEqualTo(1);
        assertThat(recording.ending()).isEqualTo(Ending.PROGRAM_ENDED);
        assertThat(seconds).isLessThan(60);
    }

    @Test
    @DisplayName("G07 a program that is killed in the middle of a line leaves the records before it")
    void killed() throws Exception {
        Recording recording = record("{ echo ' L 00001000,8'; printf ' L 0000'; } > \"$log\"; kill -9 $$", 0,
                RecordingRequest.NO_LIMIT);

        assertThat(recording.exitStatus()).isEqualTo(137);
        assertThat(recording.ending()).isEqualTo(Ending.PROGRAM_ENDED);
        assertThat(TraceFiles.read(target())).containsExactly(new Access(LOAD, 0x1000, 8));
    }

    @Test
    @DisplayName("G07 a program without a record leaves no file, and the message says why")
    void nothing() throws IOException {
        assertThatThrownBy(() -> record("exit 127", 0, RecordingRequest.NO_LIMIT)).isInstanceOf(IOException.class)
                .hasMessage("prog: gave no record (exit status 127); name a program that runs under valgrind");
        assertThatThrownBy(() -> record(TEN, 10, RecordingRequest.NO_LIMIT)).isInstanceOf(IOException.class)
                .hasMessage("prog: ended after 10 records (exit status 0), so that none is left after the 10 to skip;"
                        + " skip fewer");
        assertThat(leftOver()).isEmpty();
    }

    @Test
    @DisplayName("G07 what is no trace ends the recording with its position, kills the program and leaves no file")
    void malformed() throws IOException {
        assertThatThrownBy(() -> record("{ echo ' L 00001000,8'; echo oops; sleep 1000; } > \"$log\"", 0, 100))
                .isInstanceOf(TraceFormatException.class).hasMessageStartingWith("valgrind's output:2: expected a record");
        assertThat(leftOver()).isEmpty();
    }

    @Test
    @DisplayName("G07 a missing valgrind is named with the package that has it, before anything is run or written")
    void noValgrind() throws IOException {
        LackeyRecorder recorder = new LackeyRecorder(folder.resolve("no-valgrind").toString());

        assertThatThrownBy(() -> recorder.record(RecordingRequest.of(List.of("true"), target())))
                .isInstanceOf(IOException.class).hasMessage(folder.resolve("no-valgrind")
                        + ": cannot be run, and recording needs it; install the Debian package valgrind");
        assertThatThrownBy(() -> new LackeyRecorder("false").record(RecordingRequest.of(List.of("true"), target())))
                .isInstanceOf(IOException.class).hasMessageContaining("is no working Valgrind");
        assertThat(leftOver()).isEmpty();
    }

    @Test
    @DisplayName("G07 a target that cannot be written is reported before the program runs")
    void badTarget() {
        assertThatThrownBy(() -> recorder("touch '" + folder.resolve("ran") + "'").record(
                RecordingRequest.of(List.of("prog"), folder.resolve("no/trace.zst"))))
                .isInstanceOf(IOException.class).hasMessageContaining("there is no such folder to write the trace to");
        assertThat(folder.resolve("ran")).doesNotExist();
    }

    @Test
    @DisplayName("G07 a request that makes no sense is refused")
    void requests() {
        assertThatThrownBy(() -> RecordingRequest.of(List.of(), target())).hasMessageContaining("no command to record");
        assertThatThrownBy(() -> new RecordingRequest(List.of("prog"), target(), -1, 5))
                .hasMessage("cannot skip -1 records; skip 0 or more");
        assertThatThrownBy(() -> new RecordingRequest(List.of("prog"), target(), 0, 0))
                .hasMessage("cannot stop after 0 records; record 1 or more");
        assertThatThrownBy(() -> RecordingRequest.of(List.of("prog"), Path.of("/")))
                .hasMessage("/: is a directory; name the file to write in it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    @DisplayName("G07 a recording that is interrupted leaves a complete trace of what was recorded so far")
    void interrupted(String signal) throws Exception {
        if (signal.equals("INT")) {
            Signals.assumeInterruptIsHeard();
        }
        Path valgrind = fake("echo ready; while :; do echo ' L 00001000,8'; done > \"$log\"");
        Process java = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp", System.getProperty("java.class.path"), RecorderMain.class.getName(),
                valgrind.toString(), target().toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertThat(java.inputReader().readLine()).isEqualTo("ready");
            Thread.sleep(500);
            new ProcessBuilder("kill", "-" + signal, Long.toString(java.pid())).start().waitFor();
            assertThat(java.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            java.destroyForcibly();
        }

        assertThat(TraceFiles.read(target())).isNotEmpty().allMatch(new Access(LOAD, 0x1000, 8)::equals);
        assertThat(leftOver()).containsExactly("trace.zst");
    }

    /** The virtual machine that {@link #interrupted} interrupts. */
    static final class RecorderMain {
        public static void main(String[] arguments) throws Exception {
            new LackeyRecorder(arguments[0]).record(RecordingRequest.of(List.of("prog"), Path.of(arguments[1])));
        }
    }

    @Test
    @DisplayName("G07 a real program is recorded with the real Valgrind")
    void realValgrind() throws Exception {
        Assumptions.assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/valgrind")), "the Debian package valgrind is not installed");
        LackeyRecorder recorder = new LackeyRecorder("/usr/bin/valgrind",
                program -> program.redirectOutput(folder.resolve("output").toFile()));
        Recording recording = recorder.record(
                RecordingRequest.of(List.of("/bin/sh", "-c", "echo hello; (echo from a child); exit 3"), target()));

        assertThat(recording.exitStatus()).isEqualTo(3);
        assertThat(recording.ending()).isEqualTo(Ending.PROGRAM_ENDED);
        assertThat(folder.resolve("output")).hasContent("hello\nfrom a child");
        List<Access> accesses = TraceFiles.read(target());
        assertThat(accesses).hasSizeGreaterThan(10_000).hasSize((int) recording.records());
        assertThat(accesses.stream().filter(access -> access.kind() == FETCH).count())
                .isBetween(accesses.size() / 2L, accesses.size() * 9L / 10);
    }
}
