package org.penumbra.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

/**
 * An exit from the guest to the hypervisor and back, the cheapest there is: VMCALL with a number that nobody has. Everything of a machine is
 * there: engine, processor, exit table, handler, entry.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 10, time = 1)
@Fork(2)
public class ExitBenchmark {
    private static final int EXITS = 10_000;
    private static final int BATCH = 1_000;
    private static final long MEMORY = 4L << 20;

    /** By {@code mmu.name}. */
    @Param({"shadow", "ept"})
    public String design;

    private Container container;
    private Machine machine;

    /** A guest that does nothing else, without paging. */
    private static final class Calling implements GuestBoot, GuestProgram {
        @Override
        public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
            vcpus[0].paging = new PagingState(ControlBits.CR0_PE, 0, 0, 0, 0, 0);
            return new GuestState[] {new GuestState(this)};
        }

        @Override
        public boolean refill(StepBuffer steps) {
            for (int i = 0; i < BATCH; i++) {
                steps.vmcall();
            }
            return true;
        }

        @Override
        public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
            throw new IllegalStateException("a guest without paging has no page faults");
        }

        @Override
        public void interrupt(int vector, StepBuffer handler) {
            throw new IllegalStateException("there is no device");
        }
    }

    @Setup
    public void start() {
        container = new Container();
        CostProfile hardware = container.service(CostProfiles.class, null).all().stream()
                .filter(p -> p.name().equals("skylake")).findFirst().orElseThrow();
        machine = container.service(MachineFactory.class, "(" + MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX + ")")
                .create(new MachineConfig(MEMORY, 1, hardware, design, Map.of(), false), new Calling());
    }

    @TearDown
    public void close() {
        machine.close();
        container.close();
    }

    @Benchmark
    @OperationsPerInvocation(EXITS)
    public boolean exit() {
        return machine.run(EXITS);
    }
}
