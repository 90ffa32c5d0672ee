package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class JobsTest {
    private final ShellFixture shell = new ShellFixture();

    @AfterEach
    void close() {
        shell.close();
    }

    @Test
    @DisplayName("P08 a run goes on in the background, is listed, waited for, and shows what it printed")
    void background() {
        shell.mayEnd.countDown();
        assertThat(shell.lines("run hot-swap --seed 3; wait 1; jobs")).contains("ran [run, hot-swap, --seed, 3]").last().asString().matches(" 1  done +0 +[\\d.]+  run hot-swap --seed 3");
        assertThat(shell.lines("output 1")).containsExactly("ran [run, hot-swap, --seed, 3]");
    }

    @Test
    @DisplayName("P08 the end of a script waits for what it started; a job that fails fails the script")
    void end() {
        shell.mayEnd.countDown();
        assertThat(shell.lines("run a")).hasSize(2).last().isEqualTo("ran [run, a]");
        shell.exitCode = 3;
        assertThat(shell.run("demo", "run b")).isEqualTo(1);
        assertThat(shell.out().lines()).contains("ran [run, b]");
        assertThat(shell.err().strip()).isEqualTo("penumbra: demo: job 2 (run b) ended with exit code 3");
    }

    @Test
    @DisplayName("P08 cancel, exit and a failure end what runs in the background")
    void cancelled() {
        assertThat(shell.lines("run a; cancel 1")).last().isEqualTo("[1] cancelled  run a");
        assertThat(shell.run("", "run b; exit")).isZero();
        assertThat(shell.run("", "run c; nonsense")).isEqualTo(1);
        assertThat(shell.jobs.running()).isEmpty();
        assertThat(shell.jobs.all()).extracting(j -> j.info().state()).containsExactly("cancelled", "cancelled", "cancelled");
        assertThat(shell.refusal("wait 9")).isEqualTo("unknown job '9'; known: 1, 2, 3");
    }
}
