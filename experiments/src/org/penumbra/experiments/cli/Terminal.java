package org.penumbra.experiments.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Which of the process's streams a person looks at.
 *
 * @param in standard input is a terminal
 * @param out standard output is a terminal
 * @param err standard error is a terminal
 * @param colour colours are welcome there: the environment has no NO_COLOR (no-color.org) and TERM is not "dumb"
 */
record Terminal(boolean in, boolean out, boolean err, boolean colour) {

    /** Of this process. */
    static Terminal ofProcess(Map<String, String> environment) {
        boolean colour = environment.getOrDefault("NO_COLOR", "").isEmpty() && !"dumb".equals(environment.get("TERM"));
        return new Terminal(isTerminal(0), isTerminal(1), isTerminal(2), colour);
    }

    /** Java only tells about input and output together; Linux tells about each. */
    private static boolean isTerminal(int descriptor) {
        try {
            String device = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
            return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            return System.console() != null;
        }
    }
}
