package org.penumbra.plugins;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.osgi.resource.Resource;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools.Change;
import aQute.bnd.osgi.resource.ResourceUtils;
import aQute.bnd.osgi.resource.ResourceUtils.ContentCapability;
import aQute.bnd.version.Version;

/**
 * A folder of plugins, from which a container takes its own. A jar is called by the name of its bundle alone, so that a newer version
 * takes its place; it is there whole or not at all.
 */
final class PluginStore {
    private static final String PART = ".part";

    private final Path folder;

    /** @throws PluginException if there is no such folder */
    PluginStore(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new PluginException("--plugins: '" + folder + "' is no folder; make it first, or name another");
        }
        this.folder = folder;
    }

    /** The bundles in it, by name. What is no bundle does not count. */
    Map<String, BundleJar> bundles() {
        Map<String, BundleJar> found = new LinkedHashMap<>();
        for (Path jar : jars()) {
            try {
                BundleJar bundle = new BundleJar(jar);
                found.put(bundle.name(), bundle);
            } catch (PluginException e) {
                // not ours to judge here
                continue;
            }
        }
        return found;
    }

    private List<Path> jars() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.toString().endsWith(".jar")).sorted().toList();
        } catch (IOException e) {
            throw new PluginException("'" + folder + "' cannot be read: " + e.getMessage(), e);
        }
    }

    /** Puts {@code resources} in: all are fetched and compared with their checksums before the first one is visible. */
    List<Change> put(List<Resource> resources) {
        Map<String, BundleJar> there = bundles();
        Map<Resource, Path> parts = new LinkedHashMap<>();
        List<Change> changes = new ArrayList<>();
        try {
            for (Resource r : resources) {
                String name = ResourceUtils.getIdentity(r);
                Version version = ResourceUtils.getVersion(r);
                BundleJar old = there.get(name);
                if (old != null && Version.parseVersion(old.version()).equals(version)) {
                    changes.add(new Change("unchanged", name, version.toString(), old.path()));
                } else {
                    parts.put(r, fetch(r));
                    changes.add(new Change(old == null ? "installed" : "updated", name, version.toString(), target(name, old)));
                }
            }
            for (Map.Entry<Resource, Path> part : parts.entrySet()) {
                String name = ResourceUtils.getIdentity(part.getKey());
                Files.move(part.getValue(), target(name, there.get(name)), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
            }
            return changes;
        } catch (IOException e) {
            throw new PluginException("'" + folder + "' cannot be changed: " + RepositoryIndex.reason(e), e);
        } finally {
            parts.values().forEach(PluginStore::forget);
        }
    }

    private Path target(String name, BundleJar old) {
        return old == null ? folder.resolve(name + ".jar") : old.path();
    }

    private Path fetch(Resource resource) {
        ContentCapability content = ResourceUtils.getContentCapability(resource);
        Path part = folder.resolve(ResourceUtils.getIdentity(resource) + PART);
        try (InputStream in = RepositoryIndex.open(content.url());
                DigestInputStream digested = new DigestInputStream(in, MessageDigest.getInstance("SHA-256"))) {
            Files.copy(digested, part, StandardCopyOption.REPLACE_EXISTING);
            String sum = HexFormat.of().formatHex(digested.getMessageDigest().digest());
            if (!sum.equalsIgnoreCase(content.osgi_content())) {
                forget(part);
                throw new PluginException(content.url() + " is not what the index says: its SHA-256 is " + sum + ", not " + content.osgi_content()
                        + "; publish the index anew");
            }
            return part;
        } catch (IOException e) {
            forget(part);
            throw new PluginException(content.url() + " cannot be fetched: " + RepositoryIndex.reason(e), e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void forget(Path part) {
        try {
            Files.deleteIfExists(part);
        } catch (IOException e) {
            throw new PluginException(part + " cannot be deleted: " + e.getMessage(), e);
        }
    }

    List<Change> remove(List<String> names) {
        Map<String, BundleJar> there = bundles();
        for (String name : names) {
            if (!there.containsKey(name)) {
                throw new PluginException("'" + folder + "' has no plugin '" + name + "'; it has " + (there.isEmpty() ? "none" : String.join(", ", there.keySet())));
            }
        }
        List<Change> changes = new ArrayList<>();
        for (String name : names) {
            BundleJar jar = there.get(name);
            forget(jar.path());
            changes.add(new Change("removed", name, jar.version(), jar.path()));
        }
        return changes;
    }
}
