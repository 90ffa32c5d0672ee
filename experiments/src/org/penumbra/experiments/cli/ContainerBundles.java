package org.penumbra.experiments.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.command.Shell;
import org.penumbra.api.plugin.PluginTools;
import org.penumbra.experiments.run.RefusedException;

/** The bundles of the container's folder {@code shell}; where the launcher has no such folder they are in the container already. */
@Component(service = LateBundles.class)
public final class ContainerBundles implements LateBundles {
    private static final String FOLDER = "shell";
    private static final String FILE_INSTALL = "org.apache.felix.fileinstall";
    private static final String POLL_MILLIS = "500";

    private final BundleContext context;
    private final Map<String, Object> launcher;
    private boolean installed;
    private Path watched;

    @Activate
    public ContainerBundles(
            BundleContext context,
            @Reference(service = Object.class, target = "(launcher.arguments=*)") Map<String, Object> launcher) {
        this.context = context;
        this.launcher = launcher;
    }

    @Override
    public synchronized Shell shell() {
        return service(Shell.class, "the shell", "org.penumbra.shell");
    }

    @Override
    public synchronized PluginTools plugins() {
        return service(PluginTools.class, "tools for plugins", "org.penumbra.plugins");
    }

    private <T> T service(Class<T> type, String what, String bundle) {
        install();
        ServiceReference<T> reference = context.getServiceReference(type);
        T service = reference == null ? null : context.getService(reference);
        if (service == null) {
            throw new IllegalStateException("no bundle offers " + what + "; is " + bundle + " among the container's bundles?");
        }
        return service;
    }

    @Override
    public synchronized void watch(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new RefusedException("--plugins: '" + folder + "' is no folder; make it first, or name another");
        }
        Path wanted = folder.toAbsolutePath().normalize();
        if (watched != null) {
            if (!watched.equals(wanted)) {
                throw new RefusedException("--plugins: '" + watched + "' is watched already, and one folder at most can be");
            }
            return;
        }
        install();
        // FileInstall takes the settings of its first folder from properties, and from nowhere else
        Map<String, String> settings = Map.of("dir", wanted.toString(), "poll", POLL_MILLIS, "noInitialDelay", "true",
                "filter", ".*\\.jar", "subdir.mode", "skip", "tmpdir", context.getDataFile("plugins").toString(), "log.level", "0",
                "enableConfigSave", "false", "disableNio2", "true");
        settings.forEach((name, value) -> System.setProperty("felix.fileinstall." + name, value));
        Arrays.stream(context.getBundles()).filter(b -> FILE_INSTALL.equals(b.getSymbolicName())).forEach(this::start);
        watched = wanted;
    }

    private void install() {
        if (installed) {
            return;
        }
        installed = true;
        if (launcher.get("launcher.install") instanceof Function<?, ?> function) {
            @SuppressWarnings("unchecked") // as penumbra.bndrun says
            List<Bundle> bundles = ((Function<String, List<Bundle>>) function).apply(FOLDER);
            bundles.stream().filter(b -> !FILE_INSTALL.equals(b.getSymbolicName()))
                    .filter(b -> b.getHeaders("").get(Constants.FRAGMENT_HOST) == null).forEach(this::start);
        }
    }

    private void start(Bundle bundle) {
        try {
            bundle.start();
        } catch (BundleException e) {
            throw new IllegalStateException("cannot start " + bundle.getSymbolicName() + ": " + e.getMessage(), e);
        }
    }
}
