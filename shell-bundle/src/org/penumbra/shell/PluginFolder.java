package org.penumbra.shell;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.felix.fileinstall.ArtifactInstaller;
import org.osgi.framework.Bundle;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * What is done with the jars of the folder that FileInstall watches; FileInstall alone would say nothing of a jar that is no bundle,
 * and print stack traces for one that cannot start. Called by FileInstall's thread.
 */
@Component(service = ArtifactInstaller.class)
public final class PluginFolder implements ArtifactInstaller {
    private final BundleJars jars;
    private final Container container;
    private final Notices notices;
    /** Bundles that could not be installed; the next one may bring what they lack. */
    private final Set<Path> refused = new LinkedHashSet<>();

    @Activate
    public PluginFolder(@Reference Container container, @Reference Notices notices) {
        this.container = container;
        this.notices = notices;
        this.jars = new BundleJars(container);
    }

    @Override
    public boolean canHandle(File file) {
        return file.getName().endsWith(".jar");
    }

    @Override
    public synchronized void install(File file) {
        if (put(file.toPath(), true)) {
            boolean more = true;
            while (more) {
                more = new ArrayList<>(refused).stream().anyMatch(jar -> put(jar, false));
            }
        }
    }

    /** Installs or updates; answers whether something has changed. */
    private boolean put(Path jar, boolean complain) {
        try {
            Bundle bundle = jars.installed(jar);
            if (bundle == null) {
                bundle = jars.install(jar);
                notices.say("plugin " + jar.getFileName() + ": installed " + describe(bundle));
            } else {
                jars.update(bundle, jar);
                notices.say("plugin " + jar.getFileName() + ": updated " + describe(bundle));
            }
            refused.remove(jar);
            return true;
        } catch (UserError e) {
            refused.add(jar);
            if (complain) {
                notices.say("plugin " + e.getMessage());
            }
            return false;
        }
    }

    @Override
    public synchronized void update(File file) {
        install(file);
    }

    @Override
    public synchronized void uninstall(File file) {
        Path jar = file.toPath();
        refused.remove(jar);
        Bundle bundle = jars.installed(jar);
        if (bundle != null) {
            try {
                jars.uninstall(bundle);
                notices.say("plugin " + jar.getFileName() + ": removed " + Container.title(bundle));
            } catch (UserError e) {
                notices.say("plugin " + e.getMessage());
            }
        }
    }

    private String describe(Bundle bundle) {
        String designs = String.join(", ", container.designs(bundle));
        return Container.title(bundle) + (designs.isEmpty() ? "" : " with design " + designs);
    }
}
