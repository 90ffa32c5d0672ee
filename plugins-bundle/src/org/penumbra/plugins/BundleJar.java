package org.penumbra.plugins;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import org.osgi.framework.Constants;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.resource.Capability;
import org.osgi.resource.Resource;
import org.penumbra.api.plugin.PluginException;
import aQute.bnd.osgi.resource.ResourceBuilder;
import aQute.bnd.osgi.resource.ResourceUtils;

/** A jar, looked at from outside: nothing of it is loaded. */
final class BundleJar {
    private static final String OURS = "org.penumbra.";

    private final Path jar;
    private final Resource resource;

    /** @throws PluginException if it is no bundle, or not whole */
    BundleJar(Path jar) {
        this.jar = jar;
        Manifest manifest = manifest(jar);
        if (manifest == null || manifest.getMainAttributes().getValue(Constants.BUNDLE_SYMBOLICNAME) == null) {
            throw new PluginException(jar + " is no bundle: its manifest has no " + Constants.BUNDLE_SYMBOLICNAME + "; Bnd's Maven plugin makes one");
        }
        try {
            ResourceBuilder builder = new ResourceBuilder();
            builder.addManifest(manifest);
            resource = builder.build();
            ResourceUtils.getIdentity(resource);
        } catch (RuntimeException e) {
            throw new PluginException(jar + " is no bundle: its manifest makes no sense (" + e.getMessage() + ")", e);
        }
    }

    /** Reads all of it, so that what is damaged shows. */
    private static Manifest manifest(Path jar) {
        if (!Files.isRegularFile(jar)) {
            throw new PluginException(jar + ": there is no such file");
        }
        JarEntry reading = null;
        try (JarFile file = new JarFile(jar.toFile())) {
            Manifest manifest = file.getManifest();
            for (JarEntry entry : file.stream().toList()) {
                reading = entry;
                // The jar's own stream does not compare.
                try (CheckedInputStream in = new CheckedInputStream(file.getInputStream(entry), new CRC32())) {
                    in.transferTo(OutputStream.nullOutputStream());
                    if (in.getChecksum().getValue() != entry.getCrc()) {
                        throw new IOException("wrong checksum");
                    }
                }
            }
            return manifest;
        } catch (IOException | SecurityException e) {
            String where = reading == null ? "" : " at " + reading.getName();
            throw new PluginException(jar + " is no bundle: it cannot be read as a jar (" + e.getMessage() + where + "); it is damaged or no jar at all", e);
        }
    }

    Path path() {
        return jar;
    }

    String name() {
        return ResourceUtils.getIdentity(resource);
    }

    String version() {
        return ResourceUtils.getIdentityVersion(resource);
    }

    /** Why a container that has {@code there} would refuse it or not run it. */
    List<String> objections(Collection<? extends Capability> there) {
        List<String> found = new ArrayList<>();
        List<Capability> own = resource.getCapabilities(null);
        List<String> exports = own.stream().filter(c -> c.getNamespace().equals(PackageNamespace.PACKAGE_NAMESPACE))
                .map(c -> String.valueOf(c.getAttributes().get(PackageNamespace.PACKAGE_NAMESPACE))).sorted().toList();
        boolean plugin = own.stream().anyMatch(c -> c.getNamespace().equals(Needs.SERVICE)
                && String.valueOf(c.getAttributes().get(Constants.OBJECTCLASS)).contains(OURS + "api."));
        boolean pretends = exports.stream().anyMatch(e -> e.startsWith(OURS));
        if (!exports.isEmpty() && (plugin || pretends)) {
            found.add(jar + " exports " + String.join(", ", exports) + (pretends && !plugin ? ", which is Penumbra's; " : "; ")
                    + "a plugin keeps its packages to itself, or whoever is wired to it keeps its old classes: take Export-Package out of its bnd.bnd");
        }
        Needs.unmet(resource, own, there).forEach(line -> found.add(jar + " " + line));
        return found;
    }

    /** It, for an index: with the checksum of its content and its place. */
    Resource indexed(URI place) {
        try {
            ResourceBuilder builder = new ResourceBuilder();
            builder.addFile(jar.toFile(), place);
            return builder.build();
        } catch (Exception e) {
            throw new PluginException(jar + " cannot be described: " + e.getMessage(), e);
        }
    }
}
