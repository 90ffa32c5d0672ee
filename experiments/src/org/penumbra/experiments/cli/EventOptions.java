package org.penumbra.experiments.cli;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.experiments.report.EventFile;
import org.penumbra.experiments.report.FlightRecording;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Trial;
import picocli.CommandLine.Option;

/** Options of {@code run} that have trace points written to files. */
final class EventOptions {
    @Option(names = "--events", paramLabel = "FILE",
            description = "Write what trace points tell into FILE, for Perfetto (ui.perfetto.dev) or chrome://tracing; .gz compresses.")
    private Path events;

    @Option(names = "--jfr", paramLabel = "FILE", description = "Record what trace points tell with the JDK's Flight Recorder into FILE.")
    private Path jfr;

    @Option(names = "--tracepoints", split = ",", paramLabel = "NAME",
            description = "Only these trace points; a * at the end stands for anything; 'penumbra list tracepoints' names them.")
    private List<String> names = new ArrayList<>();

    /** The files, begun; to be closed at the end, whatever happens. */
    final class Files implements Closeable {
        private final Set<TracePoint> points = TracePoints.named(names);
        private final EventFile eventFile;
        private final FlightRecording recording;

        private Files(boolean force) throws IOException {
            if (events == null && jfr == null && !names.isEmpty()) {
                throw new RefusedException("--tracepoints says what --events or --jfr write; give one of them");
            }
            if (jfr != null) {
                // Before the other file is begun.
                FlightRecording.requireWritable(jfr, force);
            }
            eventFile = events == null ? null : new EventFile(events, points, force);
            recording = jfr == null ? null : new FlightRecording(jfr, points, force);
        }

        /** Has the trace points of {@code machine}, on which {@code trial} runs, written until the answer is closed. */
        AutoCloseable listen(Trial trial, Machine machine) {
            Tracing tracing = machine.tracing();
            if (tracing == null) {
                return () -> { };
            }
            List<AutoCloseable> open = new ArrayList<>();
            if (eventFile != null) {
                open.add(tracing.listen(points, eventFile.trial(trial.number(), trial.title())));
            }
            if (recording != null) {
                open.add(tracing.listen(points, recording.listener()));
            }
            return () -> {
                for (AutoCloseable subscription : open) {
                    subscription.close();
                }
            };
        }

        @Override
        public void close() throws IOException {
            try {
                if (eventFile != null) {
                    eventFile.close();
                }
            } finally {
                if (recording != null) {
                    recording.close();
                }
            }
        }
    }

    /** Begins the files that were asked for. */
    Files open(boolean force) throws IOException {
        return new Files(force);
    }
}
