package org.penumbra.experiments.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.penumbra.api.observe.TraceListener;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.RefusedException;

/**
 * What trace points tell, in the JSON form that Perfetto and Chrome read (the "Trace Event Format"): a process for each trial, a track for
 * each vCPU. Between an exit and the next entry there is a slice with the exit's reason; everything else is an instant. Time is in
 * simulated cycles, which those programs show as microseconds. Written as it comes; any thread.
 */
public final class EventFile implements Closeable {
    private static final String GZIP = ".gz";

    private record Exit(long cycles, long reason) {}

    private final JsonGenerator json;
    private final boolean slices;

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
        OutputStream out = new BufferedOutputStream(Files.newOutputStream(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE), 1 << 16);
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
        Map<Integer, Exit> exits = new HashMap<>();
        return (point, vcpu, cycles, operations, a, b, c, d, e, f) -> {
            synchronized (EventFile.this) {
                if (slices && point == TracePoint.KVM_EXIT) {
                    exits.put(vcpu, new Exit(cycles, a));
                } else if (slices && point == TracePoint.KVM_ENTRY) {
                    Exit exit = exits.remove(vcpu);
                    if (exit != null) {
                        event(number, vcpu, ExitReason.of((int) exit.reason).name(), exit.cycles, cycles - exit.cycles, () -> { });
                    }
                    return;
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

    private static void write(Writing writing) {
        try {
            writing.run();
        } catch (IOException e) {
            throw new UncheckedIOException("events could not be written: " + e.getMessage(), e);
        }
    }

    /** Ends the file. */
    @Override
    public synchronized void close() throws IOException {
        json.close();
    }
}
