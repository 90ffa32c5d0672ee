package org.penumbra.experiments.cli;

import java.nio.file.Path;
import org.penumbra.api.command.Shell;
import org.penumbra.api.plugin.PluginTools;

/** Bundles that only some commands need: they are installed when such a command runs. */
public interface LateBundles {
    /**
     * The shell, with the bundles that it needs.
     *
     * @throws IllegalStateException if they are not there, saying what is missing
     */
    Shell shell();

    /**
     * What can be done with plugins as files.
     *
     * @throws IllegalStateException if the bundle that does it is not there
     */
    PluginTools plugins();

    /**
     * From now on jars in {@code folder} are installed and started, those that are there already before this returns.
     *
     * @throws org.penumbra.experiments.run.RefusedException if there is no such folder, or another is watched
     */
    void watch(Path folder);
}
