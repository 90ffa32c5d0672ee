package org.penumbra.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.experiments.trace.TraceBatch;
import org.penumbra.experiments.trace.TraceReader;
import org.penumbra.experiments.trace.TraceWriter;
import org.penumbra.experiments.workload.TraceWorkload;

/**
 * A recorded program from its file to its end: reading, guest kernel, translation in two dimensions, exits, cycles. A call is a whole
 * run, from boot to power-off, of one of the bundled traces, whose first touches of each page are a large part of so short a run.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 3)
@Measurement(iterations = 5, time = 3)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
public class ReplayBenchmark {
    private static final long MEMORY = 256L << 20;

    /** What the rates are of. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Rates {
        /** Accesses translated for the guest. */
        public long accesses;
        /** Records of the trace. */
        public long records;

        @Setup(Level.Iteration)
        public void reset() {
            accesses = 0;
            records = 0;
        }
    }

    /** The bundled trace. */
    @Param({"cc1", "perl", "python", "sqlite"})
    public String program;

    /** How the file is called, which decides its format: binary, lackey's text, either of them compressed. */
    @Param({"ptrace", "trace"})
    public String format;

    private Container container;
    private MachineFactory machines;
    private CostProfile hardware;
    private Path file;
    private TraceWorkload workload;

    @Setup
    public void prepare() throws IOException {
        container = new Container();
        machines = container.service(MachineFactory.class, "(" + MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX + ")");
        hardware = container.service(CostProfiles.class, null).all().stream()
                .filter(p -> p.name().equals("skylake")).findFirst().orElseThrow();
        file = Files.createTempDirectory("penumbra-benchmarks").resolve(program + "." + format);
        convert("/traces/" + program + ".trace.xz", file);
        workload = TraceWorkload.ofFile(file);
    }

    private static void convert(String resource, Path to) throws IOException {
        InputStream in = TraceReader.class.getResourceAsStream(resource);
        try (TraceReader reader = TraceReader.open(resource, in); TraceWriter writer = TraceWriter.create(to, List.of())) {
            TraceBatch batch = new TraceBatch(4096);
            while (reader.read(batch) > 0) {
                writer.write(batch);
            }
            writer.commit();
        }
    }

    @TearDown
    public void close() throws IOException {
        container.close();
        Files.delete(file);
        Files.delete(file.getParent());
    }

    /** Under EPT on 4 KiB host pages. */
    @Benchmark
    public long underEpt(Rates rates) {
        return run(rates, 1);
    }

    private long run(Rates rates, int hostPageLevel) {
        MachineConfig config = new MachineConfig(MEMORY, hostPageLevel, hardware, "ept", Map.of(), false);
        try (Machine machine = machines.create(config, workload.prepare(1))) {
            while (machine.run(1_000_000)) {
                // Goes on until the guest powers off.
            }
            rates.accesses += machine.accesses();
            rates.records += workload.expectedOperations();
            return machine.cycles().total();
        }
    }

    /** The file alone: read and checked, not simulated. */
    @Benchmark
    public long readingOnly(Rates rates) throws IOException {
        TraceBatch batch = new TraceBatch(4096);
        long sum = 0;
        try (TraceReader reader = TraceReader.open(file)) {
            while (reader.read(batch) > 0) {
                sum += batch.address[0];
            }
            rates.records += reader.records();
        }
        return sum;
    }
}
