package org.penumbra.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.apache.felix.framework.FrameworkFactory;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.launch.Framework;

/**
 * The container with the bundles as they are shipped, so that a benchmark of a whole machine measures what a user runs. The API is on
 * the class path of the benchmarks and exported by the system bundle: both sides have the same types.
 */
final class Container implements AutoCloseable {
    /** Exported from the class path instead of installed. */
    private static final List<String> EXPORTED = List.of("org.penumbra.api-", "eclipse-collections");
    /** Needed neither inside nor outside. */
    private static final List<String> LEFT_OUT = List.of(
            "org.penumbra.shell", "org.penumbra.launcher", "org.apache.felix.gogo", "org.apache.felix.fileinstall",
            "org.apache.felix.framework", "jline", "jmh", "jopt");

    private final Path cache;
    private final Framework framework;

    /** Starts it; the bundles lie in {@code lib} beside the jar of the benchmarks. */
    Container() {
        try {
            cache = Files.createTempDirectory("penumbra-benchmarks");
            Map<String, Object> configuration = new HashMap<>();
            configuration.put(Constants.FRAMEWORK_STORAGE, cache.toString());
            configuration.put(Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, exports());
            framework = new FrameworkFactory().newFramework(configuration);
            framework.start();
            BundleContext context = framework.getBundleContext();
            List<Bundle> bundles = new ArrayList<>();
            for (Path jar : libraries()) {
                String name = jar.getFileName().toString();
                if (isBundle(jar) && Stream.concat(EXPORTED.stream(), LEFT_OUT.stream()).noneMatch(name::startsWith)) {
                    bundles.add(context.installBundle("reference:" + jar.toUri()));
                }
            }
            for (Bundle bundle : bundles) {
                bundle.start();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (BundleException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The service of {@code type} that {@code filter} (null for any) selects. */
    <T> T service(Class<T> type, String filter) {
        try {
            BundleContext context = framework.getBundleContext();
            return context.getServiceReferences(type, filter).stream().max(Comparator.<ServiceReference<T>>naturalOrder())
                    .map(context::getService)
                    .orElseThrow(() -> new IllegalStateException("no bundle offers " + type.getName() + (filter == null ? "" : filter)));
        } catch (InvalidSyntaxException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static String exports() throws IOException {
        List<String> clauses = new ArrayList<>();
        for (Path jar : libraries()) {
            if (EXPORTED.stream().anyMatch(jar.getFileName().toString()::startsWith)) {
                clauses.add(header(jar, Constants.EXPORT_PACKAGE).replaceAll(";uses:=\"[^\"]*\"", ""));
            }
        }
        return String.join(",", clauses);
    }

    private static boolean isBundle(Path jar) throws IOException {
        return header(jar, Constants.BUNDLE_SYMBOLICNAME) != null;
    }

    private static String header(Path jar, String name) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            Attributes main = file.getManifest() == null ? new Attributes() : file.getManifest().getMainAttributes();
            return main.getValue(name);
        }
    }

    private static List<Path> libraries() throws IOException {
        Path jar = Path.of(Container.class.getProtectionDomain().getCodeSource().getLocation().getPath());
        try (Stream<Path> files = Files.list(jar.resolveSibling("lib"))) {
            return files.filter(f -> f.toString().endsWith(".jar")).sorted().toList();
        }
    }

    @Override
    public void close() {
        try {
            framework.stop();
            framework.waitForStop(10_000);
            try (Stream<Path> files = Files.walk(cache)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        } catch (BundleException | IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
