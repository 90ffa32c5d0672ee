package org.penumbra.itest;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/** A stranger's jar: the bundle of EPT under another name, with one design, called "visitor". */
final class VisitorJar {
    static final String NAME = "org.example.visitor";

    private VisitorJar() {}

    /** Its version 1.0.{@code version}. */
    static byte[] version(int version) throws IOException {
        return make(version, "$0");
    }

    /** The same, built for an API that is not this one. */
    static byte[] forAnotherApi(int version) throws IOException {
        return make(version, "org.penumbra.api.mmu;version=\"[7.0,8)\"");
    }

    private static byte[] make(int version, String mmuImport) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarFile ept = new JarFile(ept().toFile())) {
            Manifest manifest = ept.getManifest();
            manifest.getMainAttributes().putValue("Bundle-SymbolicName", NAME);
            manifest.getMainAttributes().putValue("Bundle-Version", "1.0." + version);
            String imports = manifest.getMainAttributes().getValue("Import-Package");
            manifest.getMainAttributes().putValue("Import-Package", imports.replaceFirst("org\\.penumbra\\.api\\.mmu;version=\"[^\"]*\"", mmuImport));
            manifest.getMainAttributes().putValue("Service-Component", "OSGI-INF/org.penumbra.ept.EptMmuFactory.xml");
            try (JarOutputStream out = new JarOutputStream(bytes, manifest)) {
                for (JarEntry entry : ept.stream().filter(e -> !e.getName().equals(JarFile.MANIFEST_NAME)).toList()) {
                    out.putNextEntry(new JarEntry(entry.getName()));
                    out.write(content(ept, entry));
                }
            }
        }
        return bytes.toByteArray();
    }

    private static byte[] content(JarFile ept, JarEntry entry) throws IOException {
        try (InputStream in = ept.getInputStream(entry)) {
            byte[] content = in.readAllBytes();
            return entry.getName().endsWith("EptMmuFactory.xml")
                    ? new String(content, StandardCharsets.UTF_8).replace("value=\"ept\"", "value=\"visitor\"").getBytes(StandardCharsets.UTF_8) : content;
        }
    }

    private static Path ept() throws IOException {
        try (Stream<Path> bundles = Files.list(Path.of(System.getProperty("penumbra.test.container"), "bundles"))) {
            return bundles.filter(b -> b.getFileName().toString().startsWith("org.penumbra.ept-")).findFirst().orElseThrow();
        }
    }
}
