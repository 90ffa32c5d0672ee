package org.penumbra.experiments.trace;

import java.io.IOException;

/**
 * The file given as a trace cannot be used as one, and the person who gave it can put that right: it is missing, is a
 * directory, holds something else, was cut off, was damaged.
 *
 * <p>The message is one line: where ({@code FILE} or {@code FILE:LINE}), what is wrong, what would be right. It is an {@link
 * IOException}, a checked one, because every caller that opens a file has to expect it: a trace comes from outside, and no
 * check that a caller could make beforehand excludes a bad record in its middle. An I/O error of the device is a plain
 * {@code IOException}.
 */
public final class TraceFormatException extends IOException {

    private static final long serialVersionUID = 1L;

    private final String file;
    private final long line;

    TraceFormatException(String file, long line, String what, Throwable cause) {
        super(file + (line > 0 ? ":" + line : "") + ": " + what, cause);
        this.file = file;
        this.line = line;
    }

    TraceFormatException(String file, long line, String what) {
        this(file, line, what, null);
    }

    /** The file, as it was named when it was opened. */
    public String file() {
        return file;
    }

    /** The line, from 1, counted in the decompressed text; 0 if the file as a whole is meant. */
    public long line() {
        return line;
    }
}
