package org.penumbra.experiments.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.penumbra.experiments.run.RefusedException;

/** What plugins are built against, made from this checkout with sources and Javadoc, and put where Maven finds it. */
final class ApiRepository {
    private static final String MODULES = "api-bundle,mmu-kit,test-kit,laboratory";

    private final Console console;

    ApiRepository(Console console) {
        this.console = console;
    }

    /**
     * Runs Maven on the checkout.
     *
     * @param folder a repository of its own; null for the local repository of the user
     * @throws RefusedException if there is no checkout or no Maven, or if the build fails, with its first error
     */
    void publish(Path folder) {
        String home = System.getProperty("penumbra.home", "");
        if (home.isEmpty() || !Files.exists(Path.of(home, "pom.xml"))) {
            throw new RefusedException("the API is published from a checkout of Penumbra, and this container was not started in one; use its script 'penumbra'");
        }
        List<String> command = new ArrayList<>(List.of(System.getenv().getOrDefault("MVN", "mvn").strip().split("\\s+")));
        command.addAll(List.of("-B", "-ntp", "-q", "-Ppublish", "-Dmaven.test.skip=true", "-pl", MODULES, "-am"));
        if (folder == null) {
            command.add("install");
            console.complain("putting the API into Maven's local repository …");
        } else {
            command.add("-DaltDeploymentRepository=penumbra::" + folder.toAbsolutePath().normalize().toUri());
            command.add("deploy");
            console.complain("putting the API into the repository " + folder + " …");
        }
        try {
            Path log = Path.of(home, "target", "publish.log");
            Files.createDirectories(log.getParent());
            Process maven = new ProcessBuilder(command).directory(Path.of(home).toFile()).redirectErrorStream(true)
                    .redirectOutput(log.toFile()).redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile())).start();
            if (maven.waitFor() != 0) {
                String why = Files.readAllLines(log).stream().filter(l -> l.contains("ERROR")).findFirst().orElse("no reason given");
                throw new RefusedException("the API could not be published: " + why.replaceAll("\u001b\\[[;\\d]*m", "") + " (all of it in " + log + ")");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RefusedException("interrupted");
        }
    }

    /** What was published, for an answer. */
    static Map<String, Object> document(Path folder) {
        return Map.of("repository", folder == null ? "local" : folder.toString());
    }
}
