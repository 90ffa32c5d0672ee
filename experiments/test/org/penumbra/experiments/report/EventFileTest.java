package org.penumbra.experiments.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.zip.GZIPInputStream;
import jdk.jfr.FlightRecorder;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.penumbra.api.observe.JfrTrace;
import org.penumbra.api.observe.TraceListener;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.RefusedException;

class EventFileTest {
    private static final EnumSet<TracePoint> ALL = EnumSet.allOf(TracePoint.class);

    @TempDir
    Path folder;

    private static void anExit(TraceListener listener) {
        listener.passed(TracePoint.KVM_EXIT, 1, 1000, 50, ExitReason.INVLPG.number(), 0x7000, 0, 0, 0, 0);
        listener.passed(TracePoint.KVM_MMU_GET_PAGE, 1, 1200, 50, 2, 0x42, 0x1e1, 1, 0, 1);
        listener.passed(TracePoint.KVM_ENTRY, 1, 1500, 50, 0, 0, 0, 0, 0, 0);
    }

    private JsonNode written(Path file) throws IOException {
        try (InputStream in = file.toString().endsWith(".gz") ? new GZIPInputStream(Files.newInputStream(file)) : Files.newInputStream(file)) {
            return new ObjectMapper().readTree(in).get("traceEvents");
        }
    }

    @Test
    @DisplayName("X08 an event file names trials, shows exits as slices from exit to entry in simulated cycles, and the rest as instants with their fields")
    void slices() throws IOException {
        Path file = folder.resolve("events.json");
        try (EventFile events = new EventFile(file, ALL, false)) {
            anExit(events.trial(3, "fork-heavy under shadow"));
        }
        JsonNode e = written(file);
        assertThat(e.size()).isEqualTo(4);
        assertThat(e.get(0).at("/args/name").asText()).isEqualTo("fork-heavy under shadow");
        assertThat(e.get(1).toString()).isEqualTo("{\"name\":\"kvm_exit\",\"ph\":\"i\",\"ts\":1000,\"s\":\"t\",\"pid\":3,\"tid\":1,\"args\":"
                + "{\"operations\":50,\"exit_reason\":\"0xe\",\"info1\":\"0x7000\",\"guest_linear\":\"0x0\",\"guest_physical\":\"0x0\"}}");
        assertThat(e.get(2).get("args").toString())
                .isEqualTo("{\"operations\":50,\"mmu_valid_gen\":\"0x2\",\"gfn\":\"0x42\",\"role\":\"0x1e1\",\"root_count\":\"0x1\",\"unsync\":\"0x0\",\"created\":\"0x1\"}");
        assertThat(e.get(3).toString())
                .isEqualTo("{\"name\":\"INVLPG\",\"ph\":\"X\",\"ts\":1000,\"dur\":500,\"pid\":3,\"tid\":1,\"args\":{}}");
    }

    @Test
    @DisplayName("X08 an event file that ends early is whole, compressed by name, and has instants where entries were not asked for")
    void early() throws IOException {
        Path file = folder.resolve("events.json.gz");
        try (EventFile events = new EventFile(file, EnumSet.of(TracePoint.KVM_EXIT), false)) {
            events.trial(1, "a").passed(TracePoint.KVM_EXIT, 0, 7, 0, ExitReason.HLT.number(), 0, 0, 0, 0, 0);
        }
        assertThat(written(file).get(1).get("ph").asText()).isEqualTo("i");
        assertThatThrownBy(() -> new EventFile(file, ALL, false)).isInstanceOf(RefusedException.class)
                .hasMessageContaining("--events").hasMessageContaining("--force");
        new EventFile(file, ALL, true).close();
        assertThat(written(file).size()).isZero();
    }

    @Test
    @DisplayName("X08 an exit without a later entry has a slice to the last that its vCPU told; each vCPU of each trial its own")
    void lastExit() throws IOException {
        Path file = folder.resolve("events.json");
        try (EventFile events = new EventFile(file, ALL, false)) {
            TraceListener first = events.trial(1, "a");
            TraceListener second = events.trial(2, "b");
            first.passed(TracePoint.KVM_EXIT, 0, 100, 5, ExitReason.HLT.number(), 0, 0, 0, 0, 0);
            second.passed(TracePoint.KVM_EXIT, 0, 200, 5, ExitReason.CPUID.number(), 0, 0, 0, 0, 0);
            first.passed(TracePoint.KVM_EMULATE_INSN, 0, 130, 5, 0, 0, 0, 0, 0, 0);
            first.passed(TracePoint.KVM_EMULATE_INSN, 1, 900, 5, 0, 0, 0, 0, 0, 0);
        }
        List<String> slices = new ArrayList<>();
        written(file).forEach(e -> {
            if (e.get("ph").asText().equals("X")) {
                slices.add(e.get("pid") + " " + e.get("name").asText() + " " + e.get("ts") + " " + e.get("dur"));
            }
        });
        assertThat(slices).containsExactly("1 HLT 100 30", "2 CPUID 200 0");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    @DisplayName("X08 on a full disk machines go on, nothing more is written, and the end says so")
    void fullDisk() throws IOException {
        EventFile events = new EventFile(Path.of("/dev/full"), ALL, true);
        TraceListener listener = events.trial(1, "a");
        for (int i = 0; i < 10_000; i++) {
            anExit(listener);
        }
        assertThatThrownBy(events::close).isInstanceOf(IOException.class)
                .hasMessageStartingWith("--events: /dev/full is not complete: ").hasMessageContaining("No space left");
    }

    @Test
    @DisplayName("X08 a recording that cannot be written at its end ends all the same, and one that never could is refused at its beginning")
    void unwritableRecording() throws IOException {
        Path inside = Files.createDirectory(folder.resolve("gone"));
        FlightRecording recording = new FlightRecording(inside.resolve("trace.jfr"), ALL, false);
        Files.delete(inside);
        assertThatThrownBy(recording::close).isInstanceOf(IOException.class);
        assertThat(FlightRecorder.getFlightRecorder().getRecordings()).isEmpty();
        assertThat(FlightRecorder.getFlightRecorder().getEventTypes()).noneMatch(type -> type.getName().startsWith(JfrTrace.PREFIX));
        assertThatThrownBy(() -> new FlightRecording(inside.resolve("trace.jfr"), ALL, false)).isInstanceOf(RefusedException.class)
                .hasMessageContaining("names a folder that is not there");
    }

    @Test
    @DisplayName("X08 the flight recorder has an event type a trace point, with the point's fields by name")
    void flightRecording() throws IOException {
        Path file = folder.resolve("trace.jfr");
        Tracing tracing = new Tracing();
        try (FlightRecording recording = new FlightRecording(file, EnumSet.of(TracePoint.KVM_MMU_GET_PAGE), false)) {
            tracing.listen(ALL, recording.listener());
            Tracing.Tracer tracer = tracing.tracer(2, () -> 900, () -> 33);
            tracer.tell(TracePoint.KVM_MMU_GET_PAGE, 2, 0x42, 0x1e1, 1, 0, 1);
            tracer.tell(TracePoint.KVM_ENTRY);
        }
        List<RecordedEvent> events = new ArrayList<>();
        for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
            if (event.getEventType().getName().startsWith("penumbra.")) {
                events.add(event);
            }
        }
        assertThat(events).singleElement().satisfies(event -> {
            assertThat(event.getEventType().getName()).isEqualTo("penumbra.kvm_mmu_get_page");
            assertThat(event.getInt("vcpu")).isEqualTo(2);
            assertThat(event.getLong("cycles")).isEqualTo(900);
            assertThat(event.getLong("operations")).isEqualTo(33);
            assertThat(event.getLong("gfn")).isEqualTo(0x42);
            assertThat(event.getLong("role")).isEqualTo(0x1e1);
            assertThat(event.getLong("root_count")).isEqualTo(1);
            assertThat(event.getLong("mmu_valid_gen")).isEqualTo(2);
            assertThat(event.getLong("created")).isEqualTo(1);
        });
    }

    @Test
    @DisplayName("X08 a trace point is on while somebody listens to it, and each listener hears what it asked for")
    void listening() throws Exception {
        Tracing tracing = new Tracing();
        Tracing.Tracer tracer = tracing.tracer(-1, () -> 0, () -> 0);
        List<TracePoint> heard = new ArrayList<>();
        assertThat(tracer.on(TracePoint.KVM_EXIT)).isFalse();
        AutoCloseable exits = tracing.listen(EnumSet.of(TracePoint.KVM_EXIT), (point, vcpu, cycles, operations, a, b, c, d, e, f) -> heard.add(point));
        AutoCloseable all = tracing.listen(ALL, (point, vcpu, cycles, operations, a, b, c, d, e, f) -> { });
        assertThat(tracer.on(TracePoint.KVM_EXIT) && tracer.on(TracePoint.KVM_ENTRY)).isTrue();
        tracer.tell(TracePoint.KVM_ENTRY);
        tracer.tell(TracePoint.KVM_EXIT, 1, 2);
        all.close();
        assertThat(tracer.on(TracePoint.KVM_ENTRY)).isFalse();
        exits.close();
        assertThat(tracer.on(TracePoint.KVM_EXIT)).isFalse();
        assertThat(heard).containsExactly(TracePoint.KVM_EXIT);
    }
}
