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
    private final PluginFolder plugins = new PluginFolder(new Container(framework.context, framework.tools), notices);

    @BeforeEach
    void listen() {
        notices.redirect(line -> said.add(line.replace(folder + "/", "")));
    }

    private Path jar(String name) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Bundle-SymbolicName", name);
        Path jar = folder.resolve(name + ".jar");
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
        return jar;
    }

    @Test
    @DisplayName("P08 a jar in the folder is installed and started, a new one updates it, without it the bundle goes")
    void follows() throws IOException {
        Path jar = jar("agile");
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
    @DisplayName("P08 a jar that is refused gets one line and disturbs nothing")
    void refused() throws IOException {
        framework.refused.put("plain.jar", "plain.jar is no bundle");
        plugins.install(jar("plain").toFile());
        assertThat(framework.log).isEmpty();
        assertThat(said).containsExactly("plugin plain.jar is no bundle");
        framework.refused.clear();
        plugins.update(jar("plain").toFile());
        assertThat(said).last().isEqualTo("plugin plain.jar: installed plain 1.0.0");
        framework.refused.put("plain.jar", "plain.jar was built for another API");
        plugins.update(jar("plain").toFile());
        assertThat(framework.log).as("the one that was there stays").containsExactly("install plain", "start plain");
        assertThat(said).last().isEqualTo("plugin plain.jar was built for another API");
    }

    @Test
    @DisplayName("P08 a bundle that lacks a package leaves nothing behind, and is tried again when another arrives")
    void again() throws IOException {
        framework.broken.put("needy", "Unable to resolve needy [5](R 5.0): missing requirement [needy [5](R 5.0)] osgi.wiring.package;"
                + " (osgi.wiring.package=org.example.extra) Unresolved requirements: [[needy]]");
        plugins.install(jar("needy").toFile());
        assertThat(said).singleElement().asString()
                .endsWith("it imports package org.example.extra, which no bundle exports in a version that fits");
        assertThat(framework.log).containsExactly("install needy", "start needy", "uninstall needy");
        framework.broken.clear();
        plugins.install(jar("extra").toFile());
        assertThat(said.subList(1, 3)).containsExactly("plugin extra.jar: installed extra 1.0.0", "plugin needy.jar: installed needy 1.0.0");
    }
}
