package org.penumbra.experiments;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** What a test's process has inherited of signals. */
public final class Signals {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String IGNORED = "SigIgn:";
    /** SIGINT is signal 2, and signal n bit n − 1. */
    private static final long INTERRUPT = 1 << 1;

    private Signals() {}

    /**
     * Skips the test where SIGINT is ignored, as it is for what a shell without job control runs in the background: child processes inherit
     * that, and a Java virtual machine that finds it so does not listen.
     */
    public static void assumeInterruptIsHeard() throws IOException {
        boolean ignored = Files.exists(STATUS) && Files.readAllLines(STATUS).stream().filter(line -> line.startsWith(IGNORED))
                .anyMatch(line -> (Long.parseUnsignedLong(line.substring(IGNORED.length()).strip(), 16) & INTERRUPT) != 0);
        Assumptions.assumeFalse(ignored, "SIGINT is ignored in this process, and so in its children: run the build in the foreground");
    }
}
