package org.penumbra.plugins;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import org.apache.felix.resolver.Logger;
import org.apache.felix.resolver.ResolverImpl;
import org.osgi.framework.Version;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.resource.Capability;
import org.penumbra.api.plugin.PluginTools;
import aQute.bnd.osgi.resource.CapReqBuilder;

/** Jars made of manifest headers, and the tools over a container with a little of Penumbra's API. */
final class Jars {
    static final String API = "org.penumbra.api.mmu;version=\"[0.1,1)\"";
    static final String SERVICE = "osgi.service;objectClass:List<String>=\"org.penumbra.api.mmu.MmuFactory\"";

    private Jars() {}

    /** Tools over a container that has the package org.penumbra.api.mmu 0.1.0, components, and Java 17. */
    static PluginTools tools() {
        List<Capability> there = new ArrayList<>();
        there.add(new CapReqBuilder(PackageNamespace.PACKAGE_NAMESPACE).addAttribute(PackageNamespace.PACKAGE_NAMESPACE, "org.penumbra.api.mmu")
                .addAttribute("version", new Version("0.1.0")).buildSyntheticCapability());
        there.add(new CapReqBuilder("osgi.extender").addAttribute("osgi.extender", "osgi.component")
                .addAttribute("version", new Version("1.5.0")).buildSyntheticCapability());
        there.add(new CapReqBuilder("osgi.ee").addAttribute("osgi.ee", "JavaSE").addAttribute("version", new Version("17")).buildSyntheticCapability());
        return new PluginToolsService(except -> new Environment(there), new ResolverImpl(new Logger(0)));
    }

    /** A bundle {@code name} with {@code headers} beside the usual ones, called after its name and version. */
    static Path bundle(Path folder, String name, String version, Map<String, String> headers) throws IOException {
        Manifest manifest = new Manifest();
        Attributes all = manifest.getMainAttributes();
        all.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        all.putValue("Bundle-ManifestVersion", "2");
        all.putValue("Bundle-SymbolicName", name);
        all.putValue("Bundle-Version", version);
        headers.forEach(all::putValue);
        return jar(folder.resolve(name + "-" + version + ".jar"), manifest);
    }

    /** An MMU design for the API that is there. */
    static Path design(Path folder, String name, String version) throws IOException {
        return bundle(folder, name, version, Map.of("Import-Package", API, "Bundle-Description", "A design with shadows.",
                "Provide-Capability", SERVICE + ",org.penumbra.mmu;org.penumbra.mmu=" + name.substring(name.lastIndexOf('.') + 1)));
    }

    static Path jar(Path jar, Manifest manifest) throws IOException {
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
            out.putNextEntry(new ZipEntry("filling"));
            for (int i = 0; i < 2000; i++) {
                out.write(i * 7919 >>> 5);
            }
        }
        return jar;
    }
}
