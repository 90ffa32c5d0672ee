package org.penumbra.plugins;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import org.osgi.framework.namespace.IdentityNamespace;
import org.osgi.resource.Capability;
import org.osgi.resource.Resource;
import org.penumbra.api.mmu.MmuDesign;
import org.penumbra.api.plugin.PluginException;
import org.penumbra.api.plugin.PluginTools.Offer;
import aQute.bnd.osgi.repository.XMLResourceGenerator;
import aQute.bnd.osgi.repository.XMLResourceParser;
import aQute.bnd.osgi.resource.ResourceUtils;

/** Reads and writes the index of a repository: an XML file (OSGi Compendium, "Repository Service Specification", "XML Repository Format"). */
final class RepositoryIndex {
    private static final int PATIENCE_MILLIS = 10_000;
    /** OSGi Core, "General Syntax Definitions"; files are called by it. */
    private static final Pattern SYMBOLIC_NAME = Pattern.compile("[\\w-]+(\\.[\\w-]+)*");

    private RepositoryIndex() {}

    static void write(Path index, List<Path> jars) {
        Path file = index.toAbsolutePath().normalize();
        URI base = file.getParent().toUri();
        List<Resource> resources = new ArrayList<>();
        for (Path jar : jars) {
            resources.add(new BundleJar(jar).indexed(base.relativize(jar.toAbsolutePath().normalize().toUri())));
        }
        resources.sort(ResourceUtils.IDENTITY_VERSION_COMPARATOR);
        try {
            Files.createDirectories(file.getParent());
            // The increment says which of two is newer; a content that stays the same keeps its number.
            new XMLResourceGenerator().name("penumbra plugins").increment(0).resources(resources).save(file.toFile());
        } catch (IOException e) {
            throw new PluginException(index + " cannot be written: " + e.getMessage(), e);
        }
    }

    /** Every bundle of the indexes, the newest of a name first. */
    static List<Resource> read(List<URI> indexes) {
        List<Resource> all = new ArrayList<>();
        for (URI index : indexes) {
            try (InputStream in = open(index)) {
                all.addAll(XMLResourceParser.getResources(in, index));
            } catch (IOException e) {
                throw new PluginException("the index " + index + " cannot be read: " + reason(e), e);
            } catch (Exception e) {
                throw new PluginException("the index " + index + " is none: " + e.getMessage(), e);
            }
        }
        all.removeIf(r -> ResourceUtils.getIdentityCapability(r) == null || ResourceUtils.getContentCapability(r) == null);
        all.stream().map(ResourceUtils::getIdentity).filter(name -> !SYMBOLIC_NAME.matcher(name).matches()).findFirst().ifPresent(name -> {
            throw new PluginException("an index names a bundle '" + name + "', which is no symbolic name");
        });
        all.sort(Comparator.comparing((Resource r) -> ResourceUtils.getIdentity(r))
                .thenComparing(r -> ResourceUtils.getVersion(r), Comparator.reverseOrder()));
        return all;
    }

    /** A stream of what is at {@code place}: a file, or over HTTP. */
    static InputStream open(URI place) throws IOException {
        URLConnection connection = place.toURL().openConnection();
        connection.setConnectTimeout(PATIENCE_MILLIS);
        connection.setReadTimeout(PATIENCE_MILLIS);
        connection.setUseCaches(false);
        return connection.getInputStream();
    }

    static String reason(IOException e) {
        String name = e.getClass().getSimpleName();
        return name.equals("FileNotFoundException") ? "there is no such file" : e.getMessage() == null ? name : e.getMessage();
    }

    static Offer offer(Resource resource) {
        List<String> designs = new ArrayList<>();
        for (Capability c : resource.getCapabilities(MmuDesign.NAMESPACE)) {
            designs.add(String.valueOf(c.getAttributes().get(MmuDesign.NAMESPACE)));
        }
        Object description = ResourceUtils.getIdentityCapability(resource).getAttributes().get(IdentityNamespace.CAPABILITY_DESCRIPTION_ATTRIBUTE);
        return new Offer(ResourceUtils.getIdentity(resource), ResourceUtils.getVersion(resource).toString(),
                description == null ? "" : description.toString(), List.copyOf(designs), ResourceUtils.getContentCapability(resource).url());
    }
}
