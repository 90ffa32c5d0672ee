package org.penumbra.plugins;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.penumbra.api.plugin.PluginTools;

class RefusalsTest {
    @TempDir
    Path folder;

    private final PluginTools tools = Jars.tools();

    private String objection(Path jar) {
        List<String> objections = tools.objections(jar);
        assertThat(objections).hasSize(1);
        assertThat(objections.get(0)).doesNotContain("\n");
        return objections.get(0).replace(folder + "/", "");
    }

    private Path importing(String imports) throws IOException {
        return Jars.bundle(folder, "org.example.needy", "1.0.0", Map.of("Import-Package", imports));
    }

    @Test
    @DisplayName("P06 a design for this API is not refused")
    void fine() throws IOException {
        assertThat(tools.objections(Jars.design(folder, "org.example.agile", "1.0.0"))).isEmpty();
    }

    @Test
    @DisplayName("P06 a plugin for another version of the API is refused with both versions and the remedy")
    void otherApi() throws IOException {
        assertThat(objection(importing("org.penumbra.api.mmu;version=\"[2.0,3)\""))).isEqualTo("org.example.needy-1.0.0.jar was built for another API: "
                + "it needs org.penumbra.api.mmu in version [2.0.0,3.0.0) where this Penumbra has 0.1.0; build it against this one, or take a version of it that was");
    }

    @Test
    @DisplayName("P06 a plugin for another version of the API is refused once, however many of its packages do not fit")
    void otherApiOnce() throws IOException {
        assertThat(objection(importing("org.penumbra.api.mmu;version=\"[2.0,3)\",org.penumbra.api.gone;version=\"[2.0,3)\"")))
                .contains("org.penumbra.api.gone in version [2.0.0,3.0.0), which this Penumbra does not have");
    }

    @Test
    @DisplayName("P06 a package that is not there is named")
    void missingPackage() throws IOException {
        assertThat(objection(importing("org.example.library;version=\"[1.2,2)\""))).isEqualTo("org.example.needy-1.0.0.jar needs the package "
                + "org.example.library in version [1.2.0,2.0.0), which this container does not have; a plugin takes libraries in with -conditionalpackage in its bnd.bnd");
    }

    @Test
    @DisplayName("P06 a Java or a service that is not there is named")
    void otherNeeds() throws IOException {
        Path java = Jars.bundle(folder, "org.example.modern", "1.0.0",
                Map.of("Require-Capability", "osgi.ee;filter:=\"(&(osgi.ee=JavaSE)(version=99))\""));
        assertThat(objection(java)).startsWith("org.example.modern-1.0.0.jar needs Java 99, and this is Java ");
        Path service = Jars.bundle(folder, "org.example.served", "1.0.0",
                Map.of("Require-Capability", "osgi.service;filter:=\"(objectClass=org.example.Clock)\";effective:=active"));
        assertThat(objection(service)).isEqualTo("org.example.served-1.0.0.jar needs a service org.example.Clock, which nothing in this container offers");
    }

    @Test
    @DisplayName("P06 what is optional is not missed")
    void optional() throws IOException {
        assertThat(tools.objections(importing("org.example.library;resolution:=optional"))).isEmpty();
    }

    @Test
    @DisplayName("P06 a plugin that exports packages is refused; a library that is none may, but not Penumbra's")
    void exports() throws IOException {
        Path plugin = Jars.bundle(folder, "org.example.open", "1.0.0",
                Map.of("Provide-Capability", Jars.SERVICE, "Export-Package", "org.example.open"));
        assertThat(objection(plugin)).startsWith("org.example.open-1.0.0.jar exports org.example.open; a plugin keeps its packages to itself")
                .endsWith("take Export-Package out of its bnd.bnd");
        assertThat(tools.objections(Jars.bundle(folder, "org.example.library", "1.0.0", Map.of("Export-Package", "org.example.library")))).isEmpty();
        Path pretender = Jars.bundle(folder, "org.example.api", "1.0.0", Map.of("Export-Package", "org.penumbra.api.mmu"));
        assertThat(objection(pretender)).contains("exports org.penumbra.api.mmu, which is Penumbra's;");
    }

    @Test
    @DisplayName("P06 a jar that is no bundle is refused")
    void noBundle() throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        assertThat(objection(Jars.jar(folder.resolve("plain.jar"), manifest)))
                .isEqualTo("plain.jar is no bundle: its manifest has no Bundle-SymbolicName; Bnd's Maven plugin makes one");
    }

    @Test
    @DisplayName("P06 a jar that is cut off, changed or none at all is refused")
    void damaged() throws IOException {
        byte[] whole = Files.readAllBytes(Jars.design(folder, "org.example.agile", "1.0.0"));
        assertThat(objection(Files.write(folder.resolve("cut.jar"), Arrays.copyOf(whole, whole.length / 2))))
                .startsWith("cut.jar is no bundle: it cannot be read as a jar (");
        byte[] changed = whole.clone();
        int middle = new String(whole, StandardCharsets.ISO_8859_1).indexOf("filling") + 200;
        changed[middle] ^= 0x55;
        assertThat(objection(Files.write(folder.resolve("changed.jar"), changed))).startsWith("changed.jar is no bundle: it cannot be read as a jar (")
                .contains("at filling");
        assertThat(objection(Files.writeString(folder.resolve("text.jar"), "text"))).startsWith("text.jar is no bundle");
        assertThat(objection(folder.resolve("nowhere.jar"))).isEqualTo("nowhere.jar: there is no such file");
    }
}
