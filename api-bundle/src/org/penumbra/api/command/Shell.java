package org.penumbra.api.command;

import java.io.InputStream;
import org.osgi.annotation.versioning.ProviderType;

/** Where a person or a script types commands to the container: a service. One call at a time, on the main thread. */
@ProviderType
public interface Shell {
    /**
     * Reads commands from the terminal of this process until the person leaves.
     *
     * @param colour whether colours are welcome
     * @return the exit code for the process
     */
    int interact(boolean colour);

    /**
     * Runs {@code script} to its end, or to its first command that fails. Results go to standard output.
     *
     * @param name what messages call the script; empty for one that a person has just typed
     * @return the exit code for the process
     */
    int run(String name, InputStream script);
}
