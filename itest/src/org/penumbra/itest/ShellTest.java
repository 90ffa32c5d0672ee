package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code penumbra shell} and {@code --plugins} as processes, from scripts. */
@Timeout(120)
class ShellTest {
    @TempDir
    Path folder;

    /** The EPT bundle under another name, as a stranger's jar. */
    private Path strangersJar() throws IOException {
        Path bundles = Path.of(System.getProperty("penumbra.test.container"), "bundles");
        Path original;
        try (var files = Files.list(bundles)) {
            original = files.filter(f -> f.getFileName().toString().startsWith("org.penumbra.ept-")).findFirst().orElseThrow();
        }
        Path jar = folder.resolve("stranger.jar");
        try (JarFile in = new JarFile(original.toFile()); OutputStream file = Files.newOutputStream(jar)) {
            Manifest manifest = in.getManifest();
            manifest.getMainAttributes().putValue("Bundle-SymbolicName", "org.example.stranger");
            try (JarOutputStream out = new JarOutputStream(file, manifest)) {
                for (JarEntry entry : in.stream().filter(e -> !e.getName().equals(JarFile.MANIFEST_NAME)).toList()) {
                    out.putNextEntry(new JarEntry(entry.getName()));
                    try (InputStream content = in.getInputStream(entry)) {
                        content.transferTo(out);
                    }
                }
            }
        }
        return jar;
    }

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

    @Test
    @DisplayName("P08 jars in a folder are installed, updated and removed while the shell runs; one that is no bundle gets a line")
    void pluginFolder() throws Exception {
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        Path plugin = plugins.resolve("agile.jar");
        Path stranger = strangersJar();
        Files.copy(stranger, plugin);
        try (Launched penumbra = new Launched(folder, "shell", "--plugins", plugins.toString(), "-c", "bundles | grep stranger; sleep 60")) {
            penumbra.await("active  ept");
            Files.writeString(plugins.resolve("bad.jar"), "no jar");
            penumbra.await("bad.jar is no bundle");
            Files.copy(stranger, plugin, StandardCopyOption.REPLACE_EXISTING);
            penumbra.await("plugin agile.jar: updated");
            Files.delete(plugin);
            penumbra.await("plugin agile.jar: removed");
            penumbra.interrupt();
            assertThat(penumbra.exitCode()).isEqualTo(130);
            assertThat(penumbra.err().lines()).hasSize(4);
            assertThat(penumbra.leftovers()).isEmpty();
        }
    }

    @Test
    @DisplayName("P08 standard input is a script too: its first failure ends it with one line and exit code 1; a jar is installed")
    void standardInput() throws Exception {
        Path jar = strangersJar();
        try (Launched penumbra = new Launched(folder, "shell")) {
            penumbra.type("install stranger.jar\nbundles | grep stranger\ndesgns\nbundles\n");
            assertThat(penumbra.exitCode()).isEqualTo(1);
            assertThat(penumbra.out().lines()).hasSize(6).last().asString().contains("org.example.stranger").contains("active");
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
