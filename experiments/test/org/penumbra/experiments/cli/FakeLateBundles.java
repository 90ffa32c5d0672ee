package org.penumbra.experiments.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.command.Shell;
import org.penumbra.api.plugin.PluginTools;

/** A shell that writes down what it is given, and folders that are watched by nobody. */
final class FakeLateBundles implements LateBundles, Shell {
    /** What was asked for, in order. */
    final List<String> calls = new ArrayList<>();
    /** What the shell answers. */
    int exitCode;

    @Override
    public Shell shell() {
        return this;
    }

    @Override
    public PluginTools plugins() {
        throw new IllegalStateException("there are none here");
    }

    @Override
    public void watch(Path folder) {
        calls.add("watch " + folder.getFileName());
    }

    @Override
    public int interact(boolean colour) {
        calls.add("interact " + colour);
        return exitCode;
    }

    @Override
    public int run(String name, InputStream script) {
        try {
            calls.add("run " + name + ": " + new String(script.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return exitCode;
    }
}
