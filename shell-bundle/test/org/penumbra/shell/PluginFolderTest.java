package org.penumbra.shell;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PluginFolderTest {
    @TempDir
    Path folder;

    private final FakeFramework framework = new FakeFramework();
    private final Notices notices = new Notices();
    private final List<String> said = new ArrayList<>();
    private final PluginFolder plugins = new PluginFolder(new Container(framework.context), notices);

    @BeforeEach
    void listen() {
        notices.redirect(line -> said.add(line.replace(folder + "/", "")));
    }

    private Path jar(String name, boolean bundle) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        if (bundle) {
            manifest.getMainAttributes().putValue("Bundle-SymbolicName", name);
        }
        Path jar = folder.resolve(name + ".jar");
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
        return jar;
    }

    @Test
    @DisplayName("P08 a jar in the folder is installed and started, a new one updates it, without it the bundle goes")
    void follows() throws IOException {
        Path jar = jar("agile", true);
        assertThat(plugins.canHandle(jar.toFile())).isTrue();
        assertThat(plugins.canHandle(folder.resolve("notes.txt").toFile())).isFalse();
        plugins.install(jar.toFile());
        plugins.update(jar.toFile());
        plugins.uninstall(jar.toFile());
        plugins.uninstall(jar.toFile());
        assertThat(framework.log).containsExactly("install agile", "start agile", "update agile", "uninstall agile");
        assertThat(said).containsExactly("plugin agile.jar: installed agile 1.0.0", "plugin agile.jar: updated agile 1.0.0",
                "plugin agile.jar: removed agile 1.0.0");
    }

    @Test
    @DisplayName("P08 what is no bundle gets one line and disturbs nothing")
    void noBundle() throws IOException {
        plugins.install(jar("plain", false).toFile());
        plugins.install(Files.writeString(folder.resolve("text.jar"), "text").toFile());
        assertThat(framework.log).isEmpty();
        assertThat(said).hasSize(2).first().asString().startsWith("plugin ").contains("plain.jar is no bundle: its manifest has no");
        assertThat(said.get(1)).contains("text.jar is no bundle: it cannot be read as a jar");
    }

    @Test
    @DisplayName("P08 a bundle that lacks a package leaves nothing behind, and is tried again when another arrives")
    void again() throws IOException {
        framework.broken.put("needy", "Unable to resolve needy [5](R 5.0): missing requirement [needy [5](R 5.0)] osgi.wiring.package;"
                + " (osgi.wiring.package=org.example.extra) Unresolved requirements: [[needy]]");
        plugins.install(jar("needy", true).toFile());
        assertThat(said).singleElement().asString()
                .endsWith("it imports package org.example.extra, which no bundle exports in a version that fits");
        assertThat(framework.log).containsExactly("install needy", "start needy", "uninstall needy");
        framework.broken.clear();
        plugins.install(jar("extra", true).toFile());
        assertThat(said.subList(1, 3)).containsExactly("plugin extra.jar: installed extra 1.0.0", "plugin needy.jar: installed needy 1.0.0");
    }
}
