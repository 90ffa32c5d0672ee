package org.penumbra.benchmarks;

import java.util.EnumSet;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.observe.Tracing;

/** What it costs to pass a trace point beside a compare-and-set, as beside the one that puts an entry in place. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class TracePointBenchmark {
    private final PhysicalMemory memory = new PhysicalMemory(1 << 20);
    private final Tracing tracing = new Tracing();
    private Tracing.Tracer unheard;
    private Tracing.Tracer heard;
    private long told;
    private long entry;

    @Setup
    public void listen() {
        unheard = tracing.tracer(0, () -> 0, () -> 0);
        Tracing other = new Tracing();
        other.listen(EnumSet.allOf(TracePoint.class), (point, vcpu, cycles, operations, a, b, c, d, e, f) -> told += a);
        heard = other.tracer(0, () -> 0, () -> 0);
    }

    private boolean set() {
        boolean done = memory.compareAndSet64(0x1000, entry, entry + 1);
        entry++;
        return done;
    }

    private boolean set(Tracing.Tracer tracer) {
        boolean done = set();
        if (tracer.on(TracePoint.KVM_MMU_SET_SPTE)) {
            tracer.tell(TracePoint.KVM_MMU_SET_SPTE, 1, entry, 0x1000, 1);
        }
        return done;
    }

    @Benchmark
    public boolean without() {
        return set();
    }

    @Benchmark
    public boolean nobodyListens() {
        return set(unheard);
    }

    @Benchmark
    public boolean somebodyListens() {
        return set(heard);
    }
}
