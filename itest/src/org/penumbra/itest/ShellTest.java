package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code penumbra shell} and {@code --plugins} as processes, from scripts. */
@Timeout(120)
class ShellTest {
    @TempDir
    Path folder;

    @Test
    @DisplayName("P08 a script swaps a design under a run in the background, and stops and starts the bundle in use")
    void swapsWhileItRuns() throws Exception {
        Path script = Files.writeString(folder.resolve("demo"), """
                # the guest runs under shadow paging first
                run shadow-vs-ept --workload trace:sqlite --design shadow --quiet
                machines -w 30
                swap 1 ept
                stop ept
                (machines) | grep waiting
                start ept
                machines | grep running
                each (machines) {
                  echo swaps ($it swaps)
                }
                swaps 1
                audit 1
                wait 1
                """);
        try (Launched penumbra = new Launched(folder, "shell", script.toString())) {
            assertThat(penumbra.type("").exitCode()).as(() -> text(penumbra)).isZero();
            assertThat(penumbra.err()).isEmpty();
            assertThat(penumbra.out()).contains("[1] running  run shadow-vs-ept").contains("waiting").contains("swaps 3")
                    .contains("machine 1 under ept: no violations").contains("trace:sqlite  shadow");
            assertThat(penumbra.leftovers()).isEmpty();
        }
    }

    /** Puts {@code jar} at {@code place}, whole or not at all. */
    private void put(byte[] jar, Path place) throws IOException {
        Files.move(Files.write(folder.resolve("part"), jar), place, StandardCopyOption.REPLACE_EXISTING,
                StandardCopyOption.ATOMIC_MOVE);
    }

    @Test
    @DisplayName("P08 a jar in the folder is installed while a checked guest runs; a newer one takes its place under the guest by itself, one that is "
            + "refused gets a line, and without it the guest has its previous design back")
    void pluginFolder() throws Exception {
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Path plugin = plugins.resolve("agile.jar");
        try (Launched penumbra = new Launched(folder, "shell", "--plugins", plugins.toString())) {
            penumbra.say("run shadow-vs-ept --workload working-set-lasting --design shadow --check --quiet\nmachines -w 30\n");
            penumbra.await("shadow  running");
            put(VisitorJar.version(0), plugin);
            penumbra.await("plugin agile.jar: installed org.example.visitor 1.0.0 with design visitor");
            penumbra.say("(swap 1 visitor) to\n");
            penumbra.await("visitor (org.example.visitor 1.0.0)");
            put(VisitorJar.version(1), plugin);
            penumbra.await("plugin agile.jar: updated org.example.visitor 1.0.1");
            penumbra.say("machines\n");
            penumbra.await("visitor  running  org.example.visitor 1.0.1");
            Files.writeString(plugins.resolve("bad.jar"), "no jar");
            penumbra.await("bad.jar is no bundle");
            put(VisitorJar.forAnotherApi(2), plugin);
            penumbra.await("agile.jar was built for another API: it needs org.penumbra.api.mmu in version [7.0.0,8.0.0) where this Penumbra has ");
            penumbra.say("echo still; machines\n");
            penumbra.await("still");
            Files.delete(plugin);
            penumbra.await("plugin agile.jar: removed org.example.visitor 1.0.1");
            penumbra.say("audit 1\n");
            penumbra.await("machine 1 under shadow: no violations");
            penumbra.interrupt();
            assertThat(penumbra.exitCode()).isEqualTo(130);
            assertThat(penumbra.out()).doesNotContain("not allowed by the architecture");
            assertThat(penumbra.err().lines().filter(l -> l.startsWith("penumbra: plugin"))).hasSize(5);
            assertThat(penumbra.leftovers()).isEmpty();
        }
    }

    @Test
    @DisplayName("P08 standard input is a script too: its first failure ends it with one line and exit code 1; a jar is installed")
    void standardInput() throws Exception {
        Path jar = folder.resolve("stranger.jar");
        put(VisitorJar.version(0), jar);
        try (Launched penumbra = new Launched(folder, "shell")) {
            penumbra.type("install stranger.jar\nbundles | grep visitor\ndesgns\nbundles\n");
            assertThat(penumbra.exitCode()).isEqualTo(1);
            assertThat(penumbra.out().lines()).hasSize(6).last().asString().contains("org.example.visitor").contains("active");
            assertThat(penumbra.err().lines()).containsExactly(
                    "penumbra: standard input:3: unknown command 'desgns'; did you mean 'designs'? 'help' lists all");
            assertThat(jar).exists();
        }
    }

    @Test
    @DisplayName("P08 a folder of plugins that does not exist is refused with one line")
    void noFolder() throws Exception {
        try (Launched penumbra = new Launched(folder, "run", "shadow-vs-ept", "--plugins", "nowhere")) {
            assertThat(penumbra.exitCode()).isEqualTo(2);
            assertThat(penumbra.err().lines()).containsExactly(
                    "penumbra: --plugins: 'nowhere' is no folder; make it first, or name another");
        }
    }

    private static String text(Launched penumbra) {
        try {
            return penumbra.out() + penumbra.err();
        } catch (IOException e) {
            return e.toString();
        }
    }
}
