package org.penumbra.experiments.trace;

import java.nio.file.Path;

/**
 * What became of a recording that left a trace.
 *
 * @param file the trace
 * @param records how many records it holds, at least 1
 * @param skipped how many records were left out before them
 * @param bytes the size of the file
 * @param ending why the recording ended
 * @param exitStatus the traced program's exit status as a shell shows it: 128 and the signal's number if a signal ended it,
 *        so 137 if the recorder did
 */
public record Recording(Path file, long records, long skipped, long bytes, Ending ending, int exitStatus) {

    /** Why a recording ended. */
    public enum Ending {
        /** The program ended, or replaced itself by another with {@code exec}. */
        PROGRAM_ENDED,
        /** As many records as asked for were written; the program was killed. */
        LIMIT_REACHED,
        /** The Java virtual machine was told to end, by Ctrl-C for example; the program was killed. */
        INTERRUPTED
    }
}
