package org.penumbra.experiments.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** {@code --plugins}: a folder of jars that are installed before a command begins. */
final class PluginsOption {
    @Option(names = "--plugins", paramLabel = "DIR",
            description = "Install the bundles whose jars are in DIR, and follow what is done to them there.")
    private Path folder;

    /** Those that are there are installed when this returns. */
    void watch(LateBundles late) {
        if (folder != null) {
            late.watch(folder);
        }
    }
}
