package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShellCommandTest {
    @TempDir
    Path folder;

    private final CommandLineFixture penumbra = new CommandLineFixture();

    @Test
    @DisplayName("P08 shell runs what -c or a file says, and answers its exit code")
    void scripts() throws IOException {
        Path script = Files.writeString(folder.resolve("demo"), "designs\n");
        assertThat(penumbra.run("shell", "-c", "machines; jobs")).isZero();
        penumbra.late.exitCode = 7;
        assertThat(penumbra.run("shell", script.toString(), "--plugins", folder.toString())).isEqualTo(7);
        assertThat(penumbra.late.calls).containsExactly("run : machines; jobs", "watch " + folder.getFileName(),
                "run " + script + ": designs\n");
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("P08 shell refuses what it cannot run before it starts anything")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "shell nowhere | script 'nowhere' is not there, or is not readable by this user",
        "shell -c designs x | give either a script ('x') or commands (-c), not both",
        "shell --json | --json: the shell has no such form; its commands return objects, which pipe"})
    void refused(String arguments, String message) {
        assertThat(penumbra.run(arguments.split(" "))).isEqualTo(2);
        assertThat(penumbra.err().strip()).isEqualTo("penumbra: " + message);
        assertThat(penumbra.late.calls).isEmpty();
    }

    @Test
    @DisplayName("P08 run watches a folder of plugins before it looks at the designs")
    void plugins() {
        assertThat(penumbra.run("run", "nonesuch", "--plugins", folder.toString())).isEqualTo(2);
        assertThat(penumbra.late.calls).containsExactly("watch " + folder.getFileName());
    }

    @Test
    @DisplayName("P08 other bundles run commands, with a request to stop of their own")
    void service() {
        CommandLineService service = new CommandLineService(penumbra.container.registry, penumbra.late);
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> run = List.of("run", "shadow-vs-ept", "--workload", "trace:a");
        assertThat(service.run(run, new PrintWriter(out), new PrintWriter(err), () -> false)).isZero();
        assertThat(out.toString()).startsWith("shadow-vs-ept on skylake");
        assertThat(service.run(run, new PrintWriter(out), new PrintWriter(err), () -> true)).isEqualTo(130);
        assertThat(err.toString()).contains("interrupted after 0 of");
    }

    @ParameterizedTest(name = "penumbra {0} {1}")
    @DisplayName("P08 arguments of run are completed: experiments, options, names, also in lists")
    @CsvSource({"run,shadow-v,shadow-vs-ept", "run x,--wor,--workload", "run x --design,sh,shadow shadow-2m",
        "run x --design,'ept,nat','ept,native'", "run x --hardware,sk,skylake", "run x --workload,fork,fork-heavy",
        "run x --set,ept,ept.large-pages=", "'',ru,run", "run x,y,"})
    void complete(String before, String typed, String expected) {
        CommandLineService service = new CommandLineService(penumbra.container.registry, penumbra.late);
        List<String> words = new ArrayList<>(before.isEmpty() ? List.of() : List.of(before.split(" ")));
        words.add(typed);
        assertThat(service.complete(words)).isEqualTo(expected == null ? List.of() : List.of(expected.split(" ")));
    }
}
