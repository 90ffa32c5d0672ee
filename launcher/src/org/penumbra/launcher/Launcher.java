package org.penumbra.launcher;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.jar.JarFile;
import java.util.stream.Stream;

import org.apache.felix.framework.FrameworkFactory;
import org.apache.felix.framework.util.FelixConstants;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceEvent;
import org.osgi.framework.ServiceListener;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.launch.Framework;

/**
 * Starts the container, runs the command line in it on the main thread, and exits with its result.
 * <p>
 * The folder named by the system property {@code penumbra.container} holds {@code lib/}, which is this program's class path,
 * {@code boot/}, the libraries that the system bundle exports, {@code bundles/}, which are all installed and started, and
 * {@code shell/}, which are installed when a command asks for them. {@code penumbra.bndrun} and {@code shell.bndrun} list them, and
 * state how the command line gets its arguments.
 * <p>
 * Standard output belongs to the command: whatever is printed while the container starts goes to standard error. Each run has a
 * bundle cache of its own, which goes away with it.
 */
public final class Launcher {

    /** How long a started container may take to offer the command line, and to stop. */
    private static final long        PATIENCE_SECONDS    = 10;

    private static final String        COMMAND                = "(&(objectClass=java.util.concurrent.Callable)(penumbra.main=true))";

    /** Start, see that all is well, and stop: the run from which the archive of classes is made. */
    private static final boolean    PREPARE                = Boolean.getBoolean("penumbra.prepare");

    private final Path                container;
    private boolean                    complete            = true;

    private Launcher(Path container) {
        this.container = container;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        System.setOut(System.err);
        Path container = Path.of(System.getProperty("penumbra.container"));
        int status;
        try (RunFolder folder = RunFolder.create()) {
            status = new Launcher(container).run(args, folder.cache(), out);
        }
        out.flush();
        // Threads that a command left behind do not keep the process.
        System.exit(status);
    }

    private int run(String[] args, Path cache, PrintStream out) throws Exception {
        Framework framework = new FrameworkFactory().newFramework(configuration(cache));
        framework.init();
        BundleContext context = framework.getBundleContext();
        List<Bundle> bundles = install(context, "bundles");
        framework.start();
        start(bundles);
        try {
            Hashtable<String, Object> properties = new Hashtable<>();
            properties.put("launcher.arguments", args);
            properties.put("launcher.ready", "true");
            Function<String, List<Bundle>> more = folder -> install(context, folder);
            properties.put("launcher.install", more);
            context.registerService(Object.class, this, properties);
            Callable<?> command = awaitCommand(context);
            if (command == null) {
                System.err.println("penumbra: the container is up, but no bundle offers the command line " + COMMAND);
                return 1;
            }
            if (PREPARE) {
                return complete ? 0 : 1;
            }
            System.setOut(out);
            return call(command);
        } finally {
            framework.stop();
            framework.waitForStop(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        }
    }

    private Map<String, Object> configuration(Path cache) throws IOException {
        Map<String, Object> configuration = new HashMap<>();
        configuration.put(Constants.FRAMEWORK_STORAGE, cache.toString());
        configuration.put(Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, exportsOfLibraries());
        configuration.put(FelixConstants.LOG_LOGGER_PROP, new FelixLog());
        // Gogo's own shell does not read standard input; Penumbra's does
        configuration.put("gosh.args", "--nointeractive --noshutdown");
        return configuration;
    }

    /** What the libraries in {@code boot/} export, the system bundle exports for them; worked out once for a container. */
    private String exportsOfLibraries() throws IOException {
        Path known = container.resolve("exports");
        if (Files.exists(known)) {
            return Files.readString(known);
        }
        List<String> clauses = new ArrayList<>();
        for (Path jar : jars("boot")) {
            try (JarFile file = new JarFile(jar.toFile(), false)) {
                String exports = file.getManifest()
                    .getMainAttributes()
                    .getValue(Constants.EXPORT_PACKAGE);
                if (exports != null) {
                    clauses.add(exports.replaceAll(";uses:=\"[^\"]*\"", ""));
                }
            }
        }
        String exports = String.join(",", clauses);
        if (PREPARE) {
            Files.writeString(known, exports);
        }
        return exports;
    }

    private List<Path> jars(String folder) {
        try (Stream<Path> files = Files.list(container.resolve(folder))) {
            return files.filter(file -> file.toString()
                .endsWith(".jar"))
                .sorted()
                .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<Bundle> install(BundleContext context, String folder) {
        List<Bundle> bundles = new ArrayList<>();
        for (Path jar : jars(folder)) {
            try {
                // by reference: the jar is used where it lies
                bundles.add(context.installBundle("reference:" + jar.toUri()));
            } catch (BundleException e) {
                complain("cannot install " + jar.getFileName(), e);
            }
        }
        return bundles;
    }

    private void start(List<Bundle> bundles) {
        for (Bundle bundle : bundles) {
            try {
                if (bundle.getHeaders("")
                    .get(Constants.FRAGMENT_HOST) == null) {
                    bundle.start();
                }
            } catch (BundleException e) {
                complain("cannot start " + bundle.getSymbolicName(), e);
            }
        }
    }

    /** A bundle that cannot run is named, and the others run: the command may do without it. */
    private void complain(String what, BundleException why) {
        complete = false;
        System.err.println("penumbra: " + what + ": " + why.getMessage());
    }

    private static Callable<?> awaitCommand(BundleContext context) throws InvalidSyntaxException, InterruptedException {
        CountDownLatch registered = new CountDownLatch(1);
        ServiceListener listener = event -> {
            if (event.getType() == ServiceEvent.REGISTERED) {
                registered.countDown();
            }
        };
        context.addServiceListener(listener, COMMAND);
        ServiceReference<?>[] references = context.getServiceReferences((String) null, COMMAND);
        if (references == null && registered.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            references = context.getServiceReferences((String) null, COMMAND);
        }
        context.removeServiceListener(listener);
        return references == null ? null : (Callable<?>) context.getService(references[0]);
    }

    private static int call(Callable<?> command) {
        try {
            return command.call() instanceof Integer status ? status : 0;
        } catch (Throwable e) {
            e.printStackTrace();
            return 1;
        }
    }
}
