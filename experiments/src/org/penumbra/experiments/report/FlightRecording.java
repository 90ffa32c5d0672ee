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
     * @throws RefusedException if there is one otherwise
     */
    public FlightRecording(Path file, Set<TracePoint> points, boolean force) {
        if (Files.exists(file) && !force) {
            throw new RefusedException("--jfr: " + file + " exists already; choose another file, or --force");
        }
        this.file = file;
        this.trace = new JfrTrace(points);
        for (TracePoint point : points) {
            recording.enable(JfrTrace.PREFIX + point.label());
        }
        recording.start();
    }

    public TraceListener listener() {
        return trace;
    }

    /** Ends the recording and writes it. */
    @Override
    public void close() throws IOException {
        recording.stop();
        recording.dump(file);
        recording.close();
        trace.close();
    }
}
