package org.penumbra.plugins;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.plugin.PluginTools;
import aQute.bnd.differ.Baseline;
import aQute.bnd.differ.DiffPluginImpl;
import aQute.bnd.osgi.Instructions;
import aQute.bnd.osgi.Jar;
import aQute.bnd.osgi.Processor;
import aQute.bnd.service.diff.Delta;
import aQute.bnd.service.diff.Tree;
import aQute.bnd.version.Version;

/**
 * The API against the one that was published last, whose signatures are in {@code api-bundle/baseline.txt}: a package that changes has a
 * new version (OSGi Core, "Semantic Versioning"). Packages below version 1 are held to it, too, though bnd would let them off: plugins
 * import [0.1,1) of them.
 *
 * <p>Who publishes a version of Penumbra records what it has: {@code mvn -pl plugins-bundle -am test -Dtest=ApiBaselineTest
 * -Dsurefire.failIfNoSpecifiedTests=false -Dpenumbra.api.record=true}.
 */
class ApiBaselineTest {
    private static final Path PUBLISHED = Path.of("..", "api-bundle", "baseline.txt");
    private static final String PACKAGES = "org.penumbra.api.*";
    private static final String MMU = "org.penumbra.api.mmu";

    @TempDir
    Path folder;

    private static Path api() throws URISyntaxException {
        return Path.of(PluginTools.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    }

    /** A line for each package of {@code now} whose version does not say how it differs from {@code before}. */
    private static List<String> complaints(Tree before, Tree now) throws Exception {
        List<String> found = new ArrayList<>();
        try (Processor log = new Processor()) {
            Baseline baseline = new Baseline(log, new DiffPluginImpl());
            for (Baseline.Info p : baseline.baseline(now, ApiTree.exports(now), before, ApiTree.exports(before), new Instructions())) {
                if (p.packageDiff.getDelta() == Delta.REMOVED) {
                    found.add(p.packageName + " " + p.olderVersion + " is gone; whoever imports it is left without: keep it, or publish the API without it");
                } else if (p.packageDiff.getDelta() != Delta.ADDED && p.newerVersion.compareTo(p.suggestedVersion) < 0) {
                    found.add(p.packageName + " has changed (" + p.packageDiff.getDelta() + ": " + p.reason.strip().replaceAll("\\s*\\R\\s*", ", ")
                            + ") and is still version " + p.newerVersion + "; @Version in its package-info.java has to be " + p.suggestedVersion);
                }
            }
            assertThat(log.getErrors()).isEmpty();
        }
        return found;
    }

    @Test
    @DisplayName("P06 no package of the API has changed since it was published without a version that says so")
    void published() throws Exception {
        Tree now = ApiTree.of(api(), PACKAGES);
        if (Boolean.getBoolean("penumbra.api.record")) {
            ApiTree.write(now, PUBLISHED);
        }
        assertThat(complaints(ApiTree.read(PUBLISHED), now)).as("differences from the published API").isEmpty();
    }

    @Test
    @DisplayName("P06 what is recorded of an API is the API")
    void recorded() throws Exception {
        Tree now = ApiTree.of(api(), PACKAGES);
        Path file = folder.resolve("baseline.txt");
        ApiTree.write(now, file);
        assertThat(now.diff(ApiTree.read(file)).getDelta()).isEqualTo(Delta.UNCHANGED);
        assertThat(ApiTree.exports(now)).containsKeys("org.penumbra.api.mmu", "org.penumbra.api.vmx").hasSizeGreaterThan(10);
    }

    /** The API with {@code text} replaced in {@code file} of its package mmu, and with what was replaced before. */
    private Path changed(String file, String text, String replacement) throws Exception {
        String source = Files.readString(Path.of("..", "api-bundle", "src", "org", "penumbra", "api", "mmu", file));
        assertThat(source).contains(text);
        Path changed = Files.writeString(folder.resolve(file), source.replace(text, replacement));
        Path classes = folder.resolve("classes");
        if (!Files.exists(classes)) {
            try (Jar jar = new Jar(api().toFile())) {
                jar.expand(Files.createDirectory(classes).toFile());
            }
        }
        int status = ToolProvider.getSystemJavaCompiler().run(null, null, null, "-nowarn", "-proc:none", "-classpath",
                classes + File.pathSeparator + System.getProperty("java.class.path"), "-d", classes.toString(), changed.toString());
        assertThat(status).as("compiles").isZero();
        return classes;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "MmuFactory.java | String description(); | String description(); int novelty(); | MAJOR",
        "MmuHost.java | long guestFrames(); | long guestFrames(); int novelty(); | MINOR",
        "MmuHost.java | long guestFrames(); | '' | MAJOR"})
    @DisplayName("P06 a method more in what plugins implement, one more or less in what they call: each needs the version that says so")
    void changes(String file, String text, String replacement, Delta delta) throws Exception {
        Tree before = ApiTree.of(api(), PACKAGES);
        Version version = version(before);
        Version next = delta == Delta.MAJOR ? new Version(version.getMajor() + 1, 0, 0) : new Version(version.getMajor(), version.getMinor() + 1, 0);
        assertThat(complaints(before, ApiTree.of(changed(file, text, replacement), PACKAGES))).singleElement().asString()
                .startsWith(MMU + " has changed (" + delta + ": ")
                .endsWith("and is still version " + version + "; @Version in its package-info.java has to be " + next);
    }

    private static Version version(Tree api) {
        return Version.parseVersion(ApiTree.exports(api).get(MMU).getVersion());
    }

    @Test
    @DisplayName("P06 nothing is said of a change whose version says it, and a line of a package that is gone")
    void versioned() throws Exception {
        Tree before = ApiTree.of(api(), PACKAGES);
        Version version = version(before);
        changed("package-info.java", "\"" + version + "\"", "\"" + (version.getMajor() + 1) + ".0.0\"");
        Path classes = changed("MmuFactory.java", "String description();", "String description(); int novelty();");
        assertThat(complaints(before, ApiTree.of(classes, PACKAGES))).isEmpty();
        assertThat(complaints(before, ApiTree.of(classes, "!" + MMU + "," + PACKAGES))).singleElement().asString()
                .startsWith(MMU + " " + version + " is gone");
    }
}
