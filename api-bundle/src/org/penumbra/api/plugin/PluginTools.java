package org.penumbra.api.plugin;

import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/** What can be done with plugins as files: a service. Any thread. Each method throws {@link PluginException} where it cannot. */
@ProviderType
public interface PluginTools {
    /**
     * A project to be made.
     *
     * @param folder where it is to be; there is nothing yet
     * @param name small letters, digits and dashes, such as my-mmu
     * @param kind one of {@link PluginTools#kinds}
     * @param packageName its Java package, which is its Maven group, too
     */
    record Project(Path folder, String name, String kind, String packageName) {}

    /**
     * A bundle in a repository.
     *
     * @param content where its jar is
     * @param designs MMU designs that it brings, by name
     */
    record Offer(String name, String version, String description, List<String> designs, URI content) {}

    /**
     * What was done to a folder of plugins.
     *
     * @param action "installed", "updated", "removed" or "unchanged"
     */
    record Change(String action, String name, String version, Path jar) {}

    /** The kinds of plugins that there are templates for. */
    List<String> kinds();

    /** Makes a project that builds with Maven, from a template that works. Answers its files. */
    List<Path> create(Project project);

    /**
     * Why the container would refuse {@code jar}, or would not run it, a line each; empty if it is fine. Loads nothing of it.
     */
    List<String> objections(Path jar);

    /**
     * Writes the index of a repository (OSGi Compendium, "Repository Service Specification") of {@code jars} to {@code index}. Their
     * places in it are relative to its own.
     */
    void publish(Path index, List<Path> jars);

    /** What the indexes offer whose name, description or designs contain {@code words}, each of them; all for none. */
    List<Offer> search(List<URI> indexes, List<String> words);

    /** Puts the newest version of each of {@code names}, and whatever they need that this container has not, into {@code folder}. */
    List<Change> install(List<URI> indexes, List<String> names, Path folder);

    /** Replaces jars in {@code folder}, those of {@code names} or all for none, by newer versions from the indexes, in place. */
    List<Change> update(List<URI> indexes, List<String> names, Path folder);

    /** Takes the jars of {@code names} out of {@code folder}. */
    List<Change> remove(List<String> names, Path folder);
}
