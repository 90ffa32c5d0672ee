package org.penumbra.api.command;

import java.io.PrintWriter;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.osgi.annotation.versioning.ProviderType;

/** What {@code penumbra ARGUMENTS} does, for a caller inside the process: a service. Any thread; calls may overlap. */
@ProviderType
public interface CommandLine {
    /**
     * Runs a command on the calling thread.
     *
     * @param stop asked often; once it says true the command ends as on Ctrl-C, and what had finished is kept
     * @return the exit code of {@code penumbra}
     */
    int run(List<String> arguments, PrintWriter out, PrintWriter err, BooleanSupplier stop);

    /** What the last of {@code arguments}, which may be empty or half a word, can become: whole words, sorted. */
    List<String> complete(List<String> arguments);
}
