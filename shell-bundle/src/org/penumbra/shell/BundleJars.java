package org.penumbra.shell;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkListener;
import org.osgi.framework.wiring.FrameworkWiring;

/** Installs, updates and removes bundles from jars, all or nothing, and says in one line why it cannot. */
final class BundleJars {
    private static final Pattern MISSING_PACKAGE = Pattern.compile("osgi\\.wiring\\.package=([\\w.]+)");

    private final Container container;
    private final Predecessors predecessors;
    private final BundleContext context;

    BundleJars(Container container) {
        this.container = container;
        this.predecessors = new Predecessors(container);
        this.context = container.context();
    }

    /** Installs and starts the bundle in {@code jar}; one that cannot be started is not installed either. */
    Bundle install(Path jar) {
        check(jar);
        String location = location(jar);
        Bundle there = context.getBundle(location);
        if (there != null) {
            throw new UserError(jar + " is installed already, as bundle " + there.getBundleId() + "; 'update "
                    + there.getBundleId() + "' reads it again");
        }
        Bundle bundle;
        try (InputStream content = Files.newInputStream(jar)) {
            bundle = context.installBundle(location, content);
        } catch (BundleException e) {
            throw new UserError(jar + " cannot be installed: " + (e.getType() == BundleException.DUPLICATE_BUNDLE_ERROR
                    ? "its symbolic name and version are those of a bundle that is there; 'update' replaces that one, or raise the version"
                    : explain(e)), e);
        } catch (IOException e) {
            throw new UserError(jar + " cannot be read: " + e.getMessage(), e);
        }
        try {
            start(bundle);
            return bundle;
        } catch (UserError e) {
            uninstall(bundle);
            throw new UserError(jar + " is not installed: " + e.getMessage(), e);
        }
    }

    /** The bundle that {@link #install} made of {@code jar}; null if there is none. */
    Bundle installed(Path jar) {
        return context.getBundle(location(jar));
    }

    /** Gives {@code bundle} the content of {@code jar}, or reads its own jar again if that is null. */
    void update(Bundle bundle, Path jar) {
        if (jar == null && !bundle.getLocation().startsWith("file:")) {
            // the container's own bundles are used where they lie
            updateFromLocation(bundle);
            return;
        }
        Path file = jar == null ? Path.of(java.net.URI.create(bundle.getLocation())) : jar;
        check(file);
        try (InputStream content = Files.newInputStream(file)) {
            bundle.update(content);
        } catch (BundleException e) {
            throw new UserError(Container.title(bundle) + " cannot be updated: " + explain(e), e);
        } catch (IOException e) {
            throw new UserError(file + " cannot be read: " + e.getMessage(), e);
        }
        refresh();
        if (bundle.getState() != Bundle.ACTIVE) {
            start(bundle);
        }
    }

    private void updateFromLocation(Bundle bundle) {
        try {
            bundle.update();
        } catch (BundleException e) {
            throw new UserError(Container.title(bundle) + " cannot be updated: " + explain(e), e);
        }
        refresh();
    }

    /** Removes {@code bundle}; guests that run under a design of it get the one back that they had before. */
    void uninstall(Bundle bundle) {
        predecessors.bringBack(bundle);
        try {
            bundle.uninstall();
        } catch (BundleException e) {
            throw new UserError(Container.title(bundle) + " cannot be uninstalled: " + explain(e), e);
        }
        refresh();
    }

    void start(Bundle bundle) {
        if (Container.isFragment(bundle)) {
            return;
        }
        try {
            bundle.start();
        } catch (BundleException e) {
            throw new UserError(Container.title(bundle) + " cannot be started: " + explain(e), e);
        }
    }

    void stop(Bundle bundle) {
        try {
            bundle.stop();
        } catch (BundleException e) {
            throw new UserError(Container.title(bundle) + " cannot be stopped: " + explain(e), e);
        }
    }

    /** What was replaced or removed and is still wired goes for good, and its users start again. A plugin has none. */
    private void refresh() {
        FrameworkWiring wiring = context.getBundle(Constants.SYSTEM_BUNDLE_LOCATION).adapt(FrameworkWiring.class);
        if (wiring != null && !wiring.getRemovalPendingBundles().isEmpty()) {
            wiring.refreshBundles(null, new FrameworkListener[0]);
        }
    }

    /** Before anything is installed: Felix would take any jar for a bundle, and one that exports packages, too. */
    private void check(Path jar) {
        container.objections(jar).stream().findFirst().ifPresent(objection -> {
            throw new UserError(objection);
        });
    }

    private static String location(Path jar) {
        return jar.toAbsolutePath().normalize().toUri().toString();
    }

    /** Felix's messages, without its resolver's trees. */
    static String explain(BundleException e) {
        String message = String.valueOf(e.getMessage()).strip().replaceAll("\\s*\\R\\s*", "; ");
        Matcher missing = MISSING_PACKAGE.matcher(message);
        if (e.getType() == BundleException.RESOLVE_ERROR && missing.find()) {
            return "it imports package " + missing.group(1) + ", which no bundle exports in a version that fits";
        }
        Throwable cause = e.getCause();
        return cause == null || cause.getMessage() == null || message.contains(cause.getMessage()) ? message
                : message + " (" + cause.getMessage() + ")";
    }
}
