package org.penumbra.experiments.trace;

import java.nio.file.Path;
import java.util.List;

/**
 * What {@link LackeyRecorder} is to record.
 *
 * @param command the program and its arguments, as for a process; the program is looked up on the search path
 * @param target the trace to write; its name says how it is compressed ({@link TraceCompression#ofName})
 * @param skip how many records at the beginning are left out, for example the program's start-up
 * @param limit after how many written records the program is stopped; {@link #NO_LIMIT} to let it run to its end
 */
public record RecordingRequest(List<String> command, Path target, long skip, long limit) {

    /** Records until the program ends. */
    public static final long NO_LIMIT = Long.MAX_VALUE;

    /**
     * Checks what can be checked without running anything.
     *
     * @throws IllegalArgumentException with one clear line if the command is empty, the skip negative or the limit below 1
     */
    public RecordingRequest {
        command = List.copyOf(command);
        if (command.isEmpty() || command.get(0).isBlank()) {
            throw new IllegalArgumentException("no command to record; name a program and its arguments");
        }
        if (target.getFileName() == null) {
            throw new IllegalArgumentException(target + ": is a directory; name the file to write in it");
        }
        if (skip < 0) {
            throw new IllegalArgumentException("cannot skip " + skip + " records; skip 0 or more");
        }
        if (limit < 1) {
            throw new IllegalArgumentException("cannot stop after " + limit + " records; record 1 or more");
        }
    }

    /** Records the whole run of a program. */
    public static RecordingRequest of(List<String> command, Path target) {
        return new RecordingRequest(command, target, 0, NO_LIMIT);
    }
}
