package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.GuestRig.Cpu;

@DisplayName("Miniature guest on several vCPUs")
class MultikernelTest {
    private static final long DATA = 0x7f00_0000_0000L;
    private static final long PAGE = 4096;
    private static final int VCPUS = 4;

    /** Stores values of its seed on some pages, forks a child that changes half of them, and reads everything back. */
    private static final class Worker implements UserProgram {
        private static final int PAGES = 40;

        private final long seed;
        private final boolean child;
        private int call;

        Worker(long seed, boolean child) {
            this.seed = seed;
            this.child = child;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            SplittableRandom random = new SplittableRandom(seed);
            switch (call++ + (child ? 10 : 0)) {
                case 0:
                    return SystemCall.Map.anonymous(DATA, PAGES * PAGE);
                case 1:
                    for (int i = 0; i < PAGES; i++) {
                        steps.store(DATA + i * PAGE, 8, random.nextLong());
                    }
                    return new SystemCall.Fork(new Worker(seed + 1, true));
                case 2:
                    return new SystemCall.Wait();
                case 10:
                    for (int i = 0; i < PAGES / 2; i++) {
                        steps.store(DATA + i * PAGE, 8, random.nextLong());
                    }
                    return new SystemCall.Yield();
                case 3:
                case 11:
                    for (int i = 0; i < PAGES * (int) (1 + seed % 3 & 3); i++) {
                        steps.load(DATA + i % PAGES * PAGE, 8);
                    }
                    return null;
                default:
                    return new SystemCall.Exit();
            }
        }
    }

    private static GuestRig rig(int vcpus) {
        return new GuestRig(64 << 20, new MiniatureGuest("test", 5, seed -> new Worker(seed, false)), vcpus);
    }

    private static List<Long> digests(GuestRig rig) {
        return IntStream.range(0, rig.cpus.size()).mapToObj(rig::digest).toList();
    }

    /** What each vCPU does if the others have nothing to do: its digest depends on where its frames are, too. */
    private static List<Long> alone() {
        return IntStream.range(0, VCPUS).mapToObj(i -> {
            UserProgram idle = steps -> new SystemCall.Exit();
            MiniatureGuest guest = new MiniatureGuest("test", 5,
                    seed -> seed == MiniatureGuest.seedOf(5, i) ? new Worker(seed, false) : idle);
            return new GuestRig(64 << 20, guest, VCPUS).finish().digest(i);
        }).toList();
    }

    @Test
    @DisplayName("G06 vCPU 0 runs with the seed that was given, the others with seeds of their own")
    void seeds() {
        List<Long> seeds = new ArrayList<>();
        new GuestRig(64 << 20, new MiniatureGuest("test", 7, seed -> {
            seeds.add(seed);
            return steps -> new SystemCall.Exit();
        }), VCPUS);
        assertThat(seeds).hasSize(VCPUS).doesNotHaveDuplicates().startsWith(7L)
                .isEqualTo(LongStream.range(0, VCPUS).map(i -> MiniatureGuest.seedOf(7, (int) i)).boxed().toList());
        assertThat(MiniatureGuest.seedOf(7, 1)).isNotEqualTo(MiniatureGuest.seedOf(8, 1)).isNotEqualTo(MiniatureGuest.seedOf(8, 0));
    }

    @ParameterizedTest(name = "G06 taking turns of {0} operations, each vCPU loads what it loads while the others do nothing")
    @ValueSource(longs = {1, 7, 1000, 1_000_000})
    void interleaving(long slice) {
        GuestRig rig = rig(VCPUS).finish(slice);
        assertThat(digests(rig)).isEqualTo(alone()).doesNotHaveDuplicates();
        assertThat(rig.operations()).isEqualTo(rig(VCPUS).finish(3).operations());
    }

    @Test
    @DisplayName("G06 with a thread for each vCPU it is the same")
    void threads() throws Exception {
        for (int round = 0; round < 20; round++) {
            GuestRig rig = rig(VCPUS);
            List<Callable<Void>> runs = new ArrayList<>();
            for (Cpu c : rig.cpus) {
                runs.add(() -> {
                    while (c.run(13)) {
                        Thread.onSpinWait();
                    }
                    return null;
                });
            }
            ExecutorService pool = Executors.newFixedThreadPool(VCPUS);
            try {
                for (Future<Void> f : pool.invokeAll(runs)) {
                    f.get();
                }
            } finally {
                pool.shutdownNow();
            }
            rig.assertPoweredOff();
            assertThat(digests(rig)).isEqualTo(alone());
        }
    }

    @Test
    @DisplayName("G06 the last kernel to finish powers off; those that finished before have halted, and stay so if they are run again")
    void powerOff() {
        GuestRig rig = rig(3);
        for (int i : new int[] {2, 0}) {
            Cpu c = rig.cpus.get(i);
            while (c.run(1000)) {
                // To its end.
            }
            assertThat(c.stop).isEqualTo(Stop.HALTED);
            assertThat(c.poweredOff()).isFalse();
            assertThat(c.processor.interruptible()).as("offline: nothing wakes it").isFalse();
            for (int again = 0; again < 3; again++) {
                assertThat(c.engine.run(1000)).isEqualTo(Stop.HALTED);
            }
        }
        Cpu last = rig.cpus.get(1);
        while (last.run(1000)) {
            // To its end.
        }
        rig.assertPoweredOff();
        assertThat(last.poweredOff()).isTrue();
    }

    @Test
    @DisplayName("G06 a kernel has finished only when all that it did has retired: nothing of it is lost by another's power-off")
    void nothingLost() {
        for (long slice = 1; slice < 60; slice++) {
            assertThat(rig(2).finish(slice).operations()).isEqualTo(rig(2).finish(1_000_000).operations());
        }
    }

    @Test
    @DisplayName("G06 all processes of all vCPUs share the boot tables, under top-level tables of their own")
    void sharedTables() {
        GuestRig rig = rig(VCPUS);
        rig.cpus.forEach(c -> c.run(200));
        List<Long> roots = rig.cpus.stream().map(c -> c.processor.registers.paging.root()).toList();
        assertThat(roots).doesNotHaveDuplicates().allMatch(r -> r >= GuestLayout.FREE_FRAMES);
        // Direct map and text, by bits 47:39 of their addresses.
        for (int slot : new int[] {0x111, 0x1ff}) {
            assertThat(roots.stream().map(r -> rig.memory.load64(r + 8L * slot)).distinct()).hasSize(1).doesNotContain(0L);
        }
    }

    @Test
    @DisplayName("G06 memory that so many kernels cannot boot in is refused; that much is enough for them")
    void impossibleMemory() {
        MiniatureGuest guest = new MiniatureGuest("w", 1, seed -> steps -> new SystemCall.Exit());
        assertThatThrownBy(() -> new GuestRig(18 << 20, guest, VCPUS)).isInstanceOf(MachineException.class)
                .hasMessage("the miniature guest runs on 4 vCPUs in 20 MiB to 1024 GiB of memory with 4level paging, not in 18 MiB; choose with --memory");
        new GuestRig(20 << 20, guest, VCPUS).finish();
    }

    @Test
    @DisplayName("G06 a vCPU whose part of the memory is used up says how many share it")
    void outOfMemory() {
        UserProgram hungry = new UserProgram() {
            private boolean mapped;

            @Override
            public SystemCall next(StepBuffer steps) {
                if (!mapped) {
                    mapped = true;
                    return SystemCall.Map.anonymous(DATA, 8 << 20);
                }
                for (int i = 0; i < 2048; i++) {
                    steps.store(DATA + i * PAGE, 8, 1);
                }
                return new SystemCall.Exit();
            }
        };
        GuestRig rig = new GuestRig(20 << 20, new MiniatureGuest("hungry", 1, seed -> hungry), VCPUS);
        assertThatThrownBy(() -> rig.cpus.get(0).run(1_000_000)).isInstanceOf(MachineException.class)
                .hasMessage("guest out of memory: workload hungry needs more than 20 MiB on 4 vCPUs; give more with --memory");
    }

    @Test
    @DisplayName("H02 a guest of 1 TiB boots, its last frame in the direct map, and touches some MiB of it")
    void terabyte() {
        MiniatureGuest guest = new MiniatureGuest("w", 1, seed -> steps -> new SystemCall.Exit());
        GuestRig rig = new GuestRig(1L << 40, guest, 2);
        rig.finish();
        long last = (1L << 40) - 8;
        GuestLayout layout = GuestLayout.of(PagingMode.FOUR_LEVEL);
        for (GuestRig.Cpu cpu : rig.cpus) {
            long table = cpu.processor.registers.paging.root();
            for (int level = 4; level > 1; level--) {
                table = rig.memory.load64(table + 8L * layout.tables.index(layout.direct(last), level)) & 0x000f_ffff_ffff_f000L;
                assertThat(table).isNotZero();
            }
        }
        assertThat(rig.memory.residentFrames() * 4096).isLessThan(8 << 20);
    }
}
