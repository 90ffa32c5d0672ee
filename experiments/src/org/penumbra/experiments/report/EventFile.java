package org.penumbra.experiments.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.penumbra.api.observe.TraceListener;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.RefusedException;

/**
 * What trace points tell, in the JSON form that Perfetto and Chrome read (the "Trace Event Format"): a process for each trial, a track for
 * each vCPU. Between an exit and the next entry there is a slice with the exit's reason, and after an exit without one to the last that its
 * vCPU tells; everything else is an instant. Time is in simulated cycles, which those programs show as microseconds. Written as it comes;
 * any thread. Where writing fails, on a full disk for one, nothing more is written, machines go on, and {@link #close} says so.
 */
public final class EventFile implements Closeable {
    private static final String GZIP = ".gz";

    private record Track(int trial, int vcpu) {}

    /** An exit, and the latest moment that its vCPU has told of since. */
    private record Exit(long cycles, int reason, long latest) {
        Exit until(long now) {
            return new Exit(cycles, reason, Math.max(latest, now));
        }
    }

    private final Path file;
    private final OutputStream stream;
    private final JsonGenerator json;
    private final boolean slices;
    /** Exits whose vCPU has not entered its guest again. */
    private final Map<Track, Exit> exits = new LinkedHashMap<>();
    private IOException failure;

    /**
     * Begins the file.
     *
     * @param force replace a file that is there
     * @throws RefusedException if there is one otherwise
     */
    public EventFile(Path file, Set<TracePoint> points, boolean force) throws IOException {
        if (Files.exists(file) && !force) {
            throw new RefusedException("--events: " + file + " exists already; choose another file, or --force");
        }
        this.file = file;
        stream = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        OutputStream out = new BufferedOutputStream(stream, 1 << 16);
        json = new JsonFactory().createGenerator(file.toString().endsWith(GZIP) ? new GZIPOutputStream(out) : out);
        slices = points.contains(TracePoint.KVM_EXIT) && points.contains(TracePoint.KVM_ENTRY);
        json.writeStartObject();
        json.writeStringField("displayTimeUnit", "ns");
        json.writeArrayFieldStart("traceEvents");
    }

    /** The listener for trial {@code number}, which is called {@code title}. */
    public synchronized TraceListener trial(int number, String title) {
        write(() -> {
            json.writeStartObject();
            json.writeStringField("name", "process_name");
            json.writeStringField("ph", "M");
            json.writeNumberField("pid", number);
            json.writeObjectFieldStart("args");
            json.writeStringField("name", title);
            json.writeEndObject();
            json.writeEndObject();
        });
        return (point, vcpu, cycles, operations, a, b, c, d, e, f) -> {
            synchronized (EventFile.this) {
                Track track = new Track(number, vcpu);
                if (slices && point == TracePoint.KVM_ENTRY) {
                    Exit exit = exits.remove(track);
                    if (exit != null) {
                        slice(track, exit.until(cycles));
                    }
                    return;
                }
                if (slices && point == TracePoint.KVM_EXIT) {
                    exits.put(track, new Exit(cycles, (int) a, cycles));
                } else {
                    exits.computeIfPresent(track, (same, exit) -> exit.until(cycles));
                }
                long[] values = {a, b, c, d, e, f};
                event(number, vcpu, point.label(), cycles, -1, () -> {
                    json.writeNumberField("operations", operations);
                    for (int i = 0; i < point.fields().size(); i++) {
                        json.writeStringField(point.fields().get(i), "0x" + Long.toHexString(values[i]));
                    }
                });
            }
        };
    }

    private void slice(Track track, Exit exit) {
        event(track.trial, track.vcpu, ExitReason.of(exit.reason).name(), exit.cycles, exit.latest - exit.cycles, () -> { });
    }

    private interface Writing {
        void run() throws IOException;
    }

    /** A slice of {@code duration} cycles, or an instant if that is negative. */
    private void event(int trial, int vcpu, String name, long at, long duration, Writing arguments) {
        write(() -> {
            json.writeStartObject();
            json.writeStringField("name", name);
            json.writeStringField("ph", duration < 0 ? "i" : "X");
            json.writeNumberField("ts", at);
            if (duration < 0) {
                json.writeStringField("s", "t");
            } else {
                json.writeNumberField("dur", duration);
            }
            json.writeNumberField("pid", trial);
            json.writeNumberField("tid", vcpu);
            json.writeObjectFieldStart("args");
            arguments.run();
            json.writeEndObject();
            json.writeEndObject();
        });
    }

    private void write(Writing writing) {
        if (failure != null) {
            return;
        }
        try {
            writing.run();
        } catch (IOException e) {
            failure = e;
        }
    }

    /**
     * Ends the file.
     *
     * @throws IOException if it could not be written, now or before
     */
    @Override
    public synchronized void close() throws IOException {
        exits.forEach(this::slice);
        exits.clear();
        try (stream) {
            json.close();
        } catch (IOException e) {
            failure = failure == null ? e : failure;
        }
        if (failure != null) {
            throw new IOException("--events: " + file + " is not complete: " + failure.getMessage(), failure);
        }
    }
}
