package org.penumbra.experiments.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.penumbra.api.clock.Work;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.FakeContainer;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.Requests;
import org.penumbra.experiments.run.ServiceRegistry.BundleVersion;

class ResultsFolderTest {
    private static final List<BundleVersion> BUNDLES = List.of(new BundleVersion("org.penumbra.ept", "0.1.0"));

    @TempDir
    Path folder;

    private final FakeContainer container = new FakeContainer();
    private final Requests request = new Requests().workloads("fork-heavy").designs("native", "shadow").check();

    private Path write(CampaignResult result, String name) throws IOException {
        Path out = folder.resolve(name);
        new ResultsFolder(out, true).write(result, BUNDLES);
        return out;
    }

    private static List<CSVRecord> csv(Path out) throws IOException {
        try (Reader in = Files.newBufferedReader(out.resolve("results.csv"));
                CSVParser parser = CSVFormat.DEFAULT.builder().setHeader().setSkipHeaderRecord(true).get().parse(in)) {
            return parser.getRecords();
        }
    }

    private static JsonNode json(Path file) throws IOException {
        return new ObjectMapper().readTree(file.toFile());
    }

    @Test
    @DisplayName("X06 results.csv is in long format: a row for each metric of each trial")
    void results() throws IOException {
        Path out = write(request.run(container), "out");
        List<String> lines = Files.readAllLines(out.resolve("results.csv"));
        assertThat(lines).startsWith(
                "experiment,trial,workload,design,hardware,seed,metric,unit,value",
                "shadow-vs-ept,1,fork-heavy,native,skylake,1,operations,operations,2500000",
                "shadow-vs-ept,1,fork-heavy,native,skylake,1,accesses,accesses,3000000");
        assertThat(lines).contains(
                "shadow-vs-ept,1,fork-heavy,native,skylake,1,references_per_walk,references/walk,3.0",
                "shadow-vs-ept,1,fork-heavy,native,skylake,1,overhead_over_native,ratio,1.0",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,first_level_misses,misses,1000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,second_level_hits,hits,700",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,walks,walks,300",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,guest_references,references,1000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,host_references,references,2000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,exits,exits,120",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,exits.EPT_VIOLATION,exits,90",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,exit_cycles.EPT_VIOLATION,cycles,91800",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,cycles,cycles,2620000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,cycles.cpu.exit,cycles,120000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,overhead_over_native,ratio,1.048",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,mmu_frames,frames,11",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,counter.pf_taken,events,12",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,memory_digest,hex,0x0000000000000001",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,translations_compared,translations,3000000",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,translations_stale,translations,5",
                "shadow-vs-ept,2,fork-heavy,shadow,skylake,1,translations_wrong,translations,0");
        assertThat(csv(out)).allMatch(r -> r.size() == 9)
                .allMatch(r -> r.get("unit").equals("hex") ? r.get("value").matches("0x[0-9a-f]{16}") : isNumber(r.get("value")));
        assertThat(csv(out)).filteredOn(r -> r.get("metric").startsWith("cycles.") && r.get("trial").equals("2")).hasSize(Work.values().length);
    }

    private static boolean isNumber(String value) {
        return Double.isFinite(Double.parseDouble(value));
    }

    @Test
    @DisplayName("X06 the same request gives the same bytes of results and provenance; only timings differ")
    void reproducible() throws IOException {
        Path a = write(request.run(container), "a");
        Path b = write(request.run(new FakeContainer()), "b");
        assertThat(b.resolve("results.csv")).hasSameBinaryContentAs(a.resolve("results.csv"));
        assertThat(b.resolve("run.json")).hasSameBinaryContentAs(a.resolve("run.json"));
    }

    @Test
    @DisplayName("X06 names that hold commas and quotes survive")
    void quoting() throws IOException {
        container.workload("a,\"b\"");
        Path out = write(new Requests().workloads("a,\"b\"").run(container), "out");
        assertThat(csv(out)).extracting(r -> r.get("workload")).containsOnly("a,\"b\"");
    }

    @Test
    @DisplayName("X06 run.json holds every choice with its origin, the plugins by bundle and version, inputs and figures")
    void provenance() throws IOException {
        CampaignResult result = request.set("shadow.unsync", "off").run(container);
        JsonNode run = json(write(result, "out").resolve("run.json"));
        assertThat(run.at("/experiment").asText()).isEqualTo("shadow-vs-ept");
        assertThat(run.at("/settings/memory_bytes").toString()).isEqualTo("{\"value\":268435456,\"origin\":\"default\"}");
        assertThat(run.at("/settings/check").toString()).isEqualTo("{\"value\":true,\"origin\":\"command line\"}");
        assertThat(run.at("/settings/designs").toString()).isEqualTo("{\"value\":[\"native\",\"shadow\"],\"origin\":\"command line\"}");
        assertThat(run.at("/settings/seed/value").asInt()).isEqualTo(1);
        assertThat(run.at("/workloads/0/input").asText()).isEqualTo("generator:fork-heavy");
        assertThat(run.at("/designs/0/bundle").asText()).isEmpty();
        assertThat(run.at("/designs/1/bundle").asText()).isEqualTo("org.penumbra.shadow 1.2.3");
        assertThat(run.at("/designs/1/host_page_bytes").asInt()).isEqualTo(4096);
        assertThat(run.at("/designs/1/settings/0").toString())
                .isEqualTo("{\"key\":\"shadow.unsync\",\"value\":\"off\",\"origin\":\"command line\"}");
        assertThat(run.at("/designs/1/settings/1").toString())
                .isEqualTo("{\"key\":\"shadow.roots\",\"value\":\"3\",\"origin\":\"default\"}");
        assertThat(run.at("/hardware/figures")).hasSize(Work.values().length);
        assertThat(run.at("/hardware/figures/0").fieldNames()).toIterable().containsExactly("key", "value", "unit", "source");
        assertThat(run.at("/environment").fieldNames()).toIterable().containsExactly("java", "os", "arch", "cpus", "max_heap_bytes");
        assertThat(run.at("/bundles").toString()).isEqualTo("[{\"name\":\"org.penumbra.ept\",\"version\":\"0.1.0\"}]");
        assertThat(run.at("/trials/1/status").asText()).isEqualTo("finished");
        JsonNode defaults = json(write(new Requests().run(container), "defaults").resolve("run.json"));
        assertThat(defaults.at("/settings/designs/origin").asText()).isEqualTo("experiment");
        assertThat(defaults.at("/settings/workloads/origin").asText()).isEqualTo("experiment");
    }

    @Test
    @DisplayName("X06 wall time stands in timings.json and nowhere else")
    void timings() throws IOException {
        Path out = write(request.run(container), "out");
        JsonNode timings = json(out.resolve("timings.json"));
        assertThat(timings.at("/trials")).hasSize(2);
        assertThat(timings.at("/trials/0").fieldNames()).toIterable()
                .containsExactly("trial", "workload", "design", "seed", "started", "ended", "seconds");
        assertThat(timings.at("/total_seconds").asDouble()).isPositive();
        assertThat(Files.readString(out.resolve("run.json"))).doesNotContain("seconds", "started");
    }

    @Test
    @DisplayName("X04 failed and missing trials are named in run.json; the finished ones have their rows")
    void failures() throws IOException {
        container.behaviour("shadow").failure = new MachineException("no luck");
        Path out = write(request.run(container), "out");
        JsonNode run = json(out.resolve("run.json"));
        assertThat(run.at("/trials/0/status").asText()).isEqualTo("finished");
        assertThat(run.at("/trials/1/status").asText()).isEqualTo("failed");
        assertThat(run.at("/trials/1/failure").asText()).isEqualTo("no luck");
        assertThat(csv(out)).isNotEmpty().allMatch(r -> r.get("design").equals("native"));
    }

    @Test
    @DisplayName("X06 a folder with something in it is refused unless forced, and then other files are left alone")
    void refusal() throws IOException {
        Path out = Files.createDirectory(folder.resolve("out"));
        new ResultsFolder(out, false);
        Path other = Files.writeString(out.resolve("notes.txt"), "mine");
        assertThatExceptionOfType(RefusedException.class).isThrownBy(() -> new ResultsFolder(out, false)).withMessage(
                "--out: folder '" + out + "' is not empty; name another, or give --force to replace results.csv, run.json and timings.json in it");
        new ResultsFolder(out, true).write(request.run(container), BUNDLES);
        assertThat(other).hasContent("mine");
        assertThatExceptionOfType(RefusedException.class).isThrownBy(() -> new ResultsFolder(other, true))
                .withMessage("--out: '" + other + "' is a file; name a folder");
        assertThatExceptionOfType(RefusedException.class).isThrownBy(() -> new ResultsFolder(other.resolve("x/y"), true))
                .withMessage("--out: cannot make '" + other.resolve("x/y") + "', because '" + other + "' is not a writable folder");
    }

    @Test
    @DisplayName("X06 nothing is made before there is a result, and nothing but the three files afterwards")
    void files() throws IOException {
        Path out = folder.resolve("a/b/c");
        ResultsFolder results = new ResultsFolder(out, false);
        assertThat(folder).isEmptyDirectory();
        results.write(request.run(container), BUNDLES);
        results.write(request.run(container), BUNDLES);
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files).extracting(f -> f.getFileName().toString())
                    .containsExactlyInAnyOrder("results.csv", "run.json", "timings.json");
        }
    }
}
