package org.penumbra.experiments.trace;

import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Locale;

/**
 * The form in which a trace holds its records. Reading goes by the first bytes of the decompressed trace, whatever the file is called;
 * writing goes by the name that the file is to have.
 */
public enum TraceFormat {
    /** The text that Valgrind's tool lackey prints: read by people and by other programs. */
    LACKEY("lackey's text") {
        @Override
        RecordEncoder encoder(OutputStream out) {
            return new LackeyEncoder(out);
        }
    },

    /** Penumbra's own form, {@link BinaryForm}: a fraction of the size, and several times as fast to read. */
    BINARY("Penumbra's binary form") {
        @Override
        RecordEncoder encoder(OutputStream out) {
            return new BinaryEncoder(out);
        }
    };

    private static final String BINARY_SUFFIX = ".ptrace";

    private final String label;

    TraceFormat(String label) {
        this.label = label;
    }

    /** An encoder of a trace that goes into {@code out}. */
    abstract RecordEncoder encoder(OutputStream out);

    /** The form's name in messages. */
    public String label() {
        return label;
    }

    /**
     * The form that a file of this name is written in: binary for {@code .ptrace}, with or without the suffix of a compression behind it
     * and in any case; text for any other name.
     *
     * @param file a path with at least a file name
     */
    public static TraceFormat ofName(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (TraceCompression.ofName(file) != TraceCompression.NONE) {
            name = name.substring(0, name.lastIndexOf('.'));
        }
        return name.endsWith(BINARY_SUFFIX) ? BINARY : LACKEY;
    }
}
