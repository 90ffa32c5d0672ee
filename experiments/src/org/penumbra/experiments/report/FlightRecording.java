package org.penumbra.experiments.report;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import jdk.jfr.Recording;
import org.penumbra.api.observe.JfrTrace;
import org.penumbra.api.observe.TraceListener;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.experiments.run.RefusedException;

/** A recording of the JDK's Flight Recorder with trace points in it, for JDK Mission Control and {@code jfr print}. */
public final class FlightRecording implements Closeable {
    private final Path file;
    private final JfrTrace trace;
    private final Recording recording = new Recording();

    /**
     * Begins to record.
     *
     * @param force replace a file that is there
     * @throws RefusedException as by {@link #requireWritable}
     */
    public FlightRecording(Path file, Set<TracePoint> points, boolean force) {
        requireWritable(file, force);
        this.file = file;
        this.trace = new JfrTrace(points);
        for (TracePoint point : points) {
            recording.enable(JfrTrace.PREFIX + point.label());
        }
        recording.start();
    }

    /**
     * Sees that a recording can be written into {@code file}, which happens at its end.
     *
     * @throws RefusedException if the file is there and not to be replaced, or its folder is not
     */
    public static void requireWritable(Path file, boolean force) {
        if (Files.exists(file) && !force) {
            throw new RefusedException("--jfr: " + file + " exists already; choose another file, or --force");
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new RefusedException("--jfr: " + file + " names a folder that is not there; make it first");
        }
    }

    public TraceListener listener() {
        return trace;
    }

    /** Ends the recording and writes it. */
    @Override
    public void close() throws IOException {
        try (trace; recording) {
            recording.stop();
            recording.dump(file);
        }
    }
}
