package org.penumbra.plugins;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools.Project;

class TemplatesTest {
    /** Where the module examples finds projects to build. */
    private static final Path PROJECTS = Path.of("target", "projects");

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"mmu", "handler", "interrupt-controller", "workload"})
    @DisplayName("P05 a template makes a project in which nothing is left to be filled in; the build of the examples builds it")
    void projects(String kind) throws IOException {
        Path project = PROJECTS.resolve(kind);
        if (Files.exists(project)) {
            try (Stream<Path> old = Files.walk(project)) {
                for (Path file : old.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
        List<Path> files = Jars.tools().create(new Project(project, "my-" + kind, kind, "org.example.my"));
        assertThat(files).contains(project.resolve("pom.xml"), project.resolve("bnd.bnd"), project.resolve("README.md"), project.resolve(".gitignore"));
        for (Path file : files) {
            assertThat(file).content().doesNotContain("{{", "}}", "@revision@").doesNotContainPattern("@[a-z]+\\.[a-z.]*version@");
            assertThat(file.toString()).doesNotContain("NAME", "PACKAGE");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "My-Mmu | mmu | org.example.my | 'My-Mmu' cannot name a plugin",
        "my--mmu | mmu | org.example.my | 'my--mmu' cannot name a plugin",
        "my-mmu | mmu | mine | 'mine' cannot be the plugin's package",
        "my-mmu | mmu | org.penumbra.mine | 'org.penumbra.mine' cannot be the plugin's package",
        "my-mmu | tlb | org.example.my | there is no template for 'tlb'; there are mmu, handler, interrupt-controller, workload",
        "vm-exit | handler | org.example.my | 'vm-exit' would name classes as the API names its own"})
    @DisplayName("P05 a project that cannot be is refused, and nothing is written")
    void refused(String name, String kind, String packageName, String message) {
        Path project = folder.resolve("project");
        assertThatExceptionOfType(PluginException.class)
                .isThrownBy(() -> Jars.tools().create(new Project(project, name, kind, packageName))).withMessageStartingWith(message);
        assertThat(project).doesNotExist();
    }

    @Test
    @DisplayName("P05 a folder that is there stays as it is")
    void there() throws IOException {
        Path project = Files.createDirectory(folder.resolve("project"));
        assertThatExceptionOfType(PluginException.class)
                .isThrownBy(() -> Jars.tools().create(new Project(project, "my-mmu", "mmu", "org.example.my"))).withMessageContaining("is there already");
        assertThat(project).isEmptyDirectory();
    }
}
