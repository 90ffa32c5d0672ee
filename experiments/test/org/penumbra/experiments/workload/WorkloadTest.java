package org.penumbra.experiments.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.GuestRig;

@DisplayName("Workloads")
class WorkloadTest {
    private static final long MEMORY = 256 << 20;

    static List<Named<Workload>> generated() {
        return List.of(Named.of("sequential", new SequentialWorkload()), Named.of("random", new RandomWorkload()),
                Named.of("random-thp", new RandomWorkload.WithLargePages()),
                Named.of("many-processes", new ManyProcessesWorkload()),
                Named.of("many-processes-pcid", new ManyProcessesWorkload.WithPcids()),
                Named.of("mmap-churn", new MmapChurnWorkload()), Named.of("page-ageing", new PageAgeingWorkload()),
                Named.of("table-storm", new PageTableStormWorkload()), Named.of("code-thp", new LargeCodeWorkload()),
                Named.of("working-set", new WorkingSetWorkload()),
                Named.of("fork-heavy", new ForkHeavyWorkload()));
    }

    private static GuestRig run(Workload workload, long seed) {
        return new GuestRig(MEMORY, workload.prepare(seed)).finish();
    }

    @ParameterizedTest(name = "X01 {0} runs to its end, the same for equal seeds, and as long as it says")
    @MethodSource("generated")
    void generated(Workload workload) {
        GuestRig first = run(workload, 1);
        assertThat(run(workload, 1).digest()).isEqualTo(first.digest());
        assertThat(run(workload, 2).digest()).isNotEqualTo(first.digest());
        assertThat(first.operations()).isBetween(1_000_000L, 3_500_000L);
        assertThat((double) first.operations() / workload.expectedOperations()).isBetween(0.6, 1.6);
    }

    @ParameterizedTest(name = "G06 {0} runs on two vCPUs, on the first as it does alone")
    @MethodSource("generated")
    void severalVcpus(Workload workload) {
        GuestRig alone = run(workload, 1);
        GuestRig two = new GuestRig(MEMORY, workload.prepare(1), 2).finish();
        assertThat(two.digest(0)).isEqualTo(alone.digest());
        assertThat(two.digest(1)).isNotEqualTo(alone.digest());
        assertThat((double) two.operations() / alone.operations()).isBetween(1.9, 2.1);
    }

    @Test
    @DisplayName("X01 working-set touches all of its pages before its first access anywhere, and none faults afterwards")
    void workingSet() {
        GuestRig touched = run(new WorkingSetWorkload(4 << 20, 1), 1);
        assertThat(touched.faults()).isEqualTo(1024 + 1);
        assertThat(run(new WorkingSetWorkload(4 << 20, 5000), 1).faults()).isEqualTo(1024 + 1);
        assertThat((double) touched.operations() / new WorkingSetWorkload(4 << 20, 1).expectedOperations()).isBetween(0.9, 1.1);
    }

    @Test
    @DisplayName("X01 interrupt-driven computes once for each interrupt, and needs them")
    void interruptDriven() {
        Workload workload = new InterruptDrivenWorkload();
        GuestRig rig = new GuestRig(MEMORY, workload.prepare(1)).finishWithInterrupts(0x40);
        assertThat(rig.interrupts(0x40)).isEqualTo(InterruptDrivenWorkload.ROUNDS);
        assertThat((double) rig.operations() / workload.expectedOperations()).isBetween(0.8, 1.25);
        assertThat(new GuestRig(MEMORY, workload.prepare(1)).finishWithInterrupts(0x41).digest()).isEqualTo(rig.digest());
    }

    @Test
    @DisplayName("X02 with PCIDs a context switch keeps the TLB: fewer misses, the same work")
    void pcids() {
        GuestRig without = run(new ManyProcessesWorkload(), 1);
        GuestRig with = run(new ManyProcessesWorkload.WithPcids(), 1);
        assertThat(with.operations()).isEqualTo(without.operations());
        assertThat(with.misses()).isLessThan(without.misses() * 9 / 10);
    }

    @Test
    @DisplayName("X02 with 2 MiB pages the same accesses fault and miss far less")
    void largePages() {
        GuestRig small = run(new RandomWorkload(), 1);
        GuestRig large = run(new RandomWorkload.WithLargePages(), 1);
        assertThat(small.faults()).isEqualTo(RandomWorkload.WORKING_SET_BYTES / 4096 + 1);
        assertThat(large.faults()).isEqualTo(RandomWorkload.WORKING_SET_BYTES / (2 << 20) + 1);
        assertThat(large.misses()).isLessThan(small.misses() / 10);
    }

    @Test
    @DisplayName("X03 a trace replays each record at its address, and powers off at its end")
    void trace(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("t.lackey"), """
                I  00401000,3
                 L 1ffefffffc,8
                 S 1ffeffe000,8
                 M 0421e040,4
                 L 0421e040,4
                 S 7fffffffff00,256
                 M 0421e0f0,32
                """);
        TraceWorkload workload = TraceWorkload.ofFile(file);
        assertThat(workload.expectedOperations()).isEqualTo(7);
        assertThat(workload.inputIdentity()).matches("sha256:[0-9a-f]{64}");
        GuestRig first = run(workload, 1);
        assertThat(run(workload, 1).digest()).isEqualTo(first.digest());
        assertThat(run(workload, 2).digest()).isNotEqualTo(first.digest());
        GuestRig three = new GuestRig(MEMORY, workload.prepare(1), 3).finish(2);
        assertThat(three.digest()).isEqualTo(first.digest());
        assertThat(three.digest(1)).as("other values are stored").isNotEqualTo(first.digest()).isNotEqualTo(three.digest(2));
    }

    @Test
    @DisplayName("X03 a trace runs in every paging mode; where its addresses do not fit, it does the same at others")
    void traceModes(@TempDir Path folder) throws IOException {
        // Two records cross a boundary of 4 MiB.
        Path file = Files.writeString(folder.resolve("t.lackey"), """
                I  00401000,3
                 S 1ffefffffc,8
                 S 7fffffffff00,256
                 M 0421e040,4
                 S 1fffbffffc,8
                 L 7fffffffff80,8
                """);
        TraceWorkload workload = TraceWorkload.ofFile(file);
        long[] operations = new long[PagingMode.values().length];
        for (PagingMode mode : PagingMode.values()) {
            GuestRig rig = new GuestRig(MEMORY, workload.prepare(1, mode)).finish();
            assertThat(new GuestRig(MEMORY, workload.prepare(1, mode)).finish().digest()).isEqualTo(rig.digest());
            operations[mode.ordinal()] = rig.operations();
        }
        assertThat(operations[PagingMode.NONE.ordinal()]).isGreaterThan(6 * 1024);
        assertThat(workload.prepare(1, PagingMode.NONE).refusal(1, 16 << 20)).hasValueSatisfying(why -> assertThat(why).contains("maps 28 MiB"));
    }

    @ParameterizedTest(name = "X01 {0} runs in every paging mode that it is not refused in")
    @MethodSource("generated")
    void modes(Workload workload) {
        List<PagingMode> refused = new ArrayList<>();
        for (PagingMode mode : PagingMode.values()) {
            GuestBoot boot = workload.prepare(1, mode);
            if (boot.refusal(1, MEMORY).isPresent()) {
                refused.add(mode);
            } else if (mode != PagingMode.FOUR_LEVEL) {
                GuestRig rig = new GuestRig(MEMORY, boot).finish();
                assertThat((double) rig.operations() / workload.expectedOperations()).isBetween(0.5, 1.7);
            }
        }
        boolean flat = List.of(SequentialWorkload.class, RandomWorkload.class, WorkingSetWorkload.class).contains(workload.getClass());
        assertThat(refused).isEqualTo(flat ? List.of() : workload instanceof ManyProcessesWorkload.WithPcids
                ? List.of(PagingMode.NONE, PagingMode.BITS_32, PagingMode.PAE) : List.of(PagingMode.NONE));
    }

    @Test
    @DisplayName("X03 a trace that cannot be used is refused before anything runs, with the reader's message")
    void badTrace(@TempDir Path folder) throws IOException {
        Path missing = folder.resolve("missing");
        assertThatThrownBy(() -> TraceWorkload.ofFile(missing)).isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining(missing + ": there is no such file");
        Path bad = Files.writeString(folder.resolve("bad"), "I  00401000,3\nnonsense\n");
        assertThatThrownBy(() -> TraceWorkload.ofFile(bad)).isInstanceOf(UncheckedIOException.class).hasMessageContaining(bad + ":2: ");
    }
}
