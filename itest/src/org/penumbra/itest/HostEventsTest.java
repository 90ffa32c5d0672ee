package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.HostPages;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;

/** The host works on the guest's pages while it runs and its MMUs are replaced. */
class HostEventsTest {
    private static final String[] DESIGNS = {"ept", "shadow", "npt"};
    private static final int VCPUS = 4;
    /** In the test with threads, events after which the guest need not wait for more. */
    private static final int EVENTS = 20_000;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=fork-heavy)")
    Workload forks;

    /** Random events, and how many of each had an effect. */
    private static final class Host {
        private final HostPages pages;
        private final Random random = new Random(7);
        private final long span;
        /** A large page has 1 of 512 gfns to be found by, and few guests have many. */
        private long large;
        final AtomicLong events = new AtomicLong();
        final AtomicLong swapped = new AtomicLong();
        final AtomicLong migrated = new AtomicLong();
        final AtomicLong merged = new AtomicLong();
        final AtomicLong collapsed = new AtomicLong();
        final AtomicLong split = new AtomicLong();
        final AtomicLong young = new AtomicLong();

        /** @param span how many frames from 0 the events are about */
        Host(Machine machine, long span) {
            this.pages = machine.hostPages();
            this.span = span;
        }

        void event() {
            events.incrementAndGet();
            long gfn = random.nextLong(span);
            switch (random.nextInt(6)) {
                case 0:
                    swapped.addAndGet(pages.swapOut(gfn) ? 1 : 0);
                    break;
                case 1:
                    migrated.addAndGet(pages.migrate(gfn) ? 1 : 0);
                    break;
                case 2:
                    if (pages.collapse(gfn)) {
                        collapsed.incrementAndGet();
                        large = gfn;
                    }
                    break;
                case 3:
                    split.addAndGet(pages.split(random.nextBoolean() ? gfn : large) ? 1 : 0);
                    break;
                case 4:
                    // Few are: a swap of the MMU makes all of them old.
                    for (int i = 0; i < 32; i++) {
                        gfn = random.nextLong(span);
                        young.addAndGet(pages.testYoung(gfn) && pages.young(gfn) ? 1 : 0);
                    }
                    break;
                default:
                    // Alike are neighbours that a kernel has zeroed, and what the kernels of several vCPUs have in the same place.
                    for (int i = 0; i < 32; i++) {
                        gfn = random.nextLong(span);
                        long other = random.nextBoolean() ? gfn + 1 + random.nextInt(8) : gfn + span / VCPUS;
                        merged.addAndGet(other < span && pages.merge(gfn, other) ? 1 : 0);
                    }
            }
        }

        void assertAllKinds() {
            assertThat(swapped.get()).as("swapped out").isPositive();
            assertThat(migrated.get()).as("migrated").isPositive();
            assertThat(merged.get()).as("merged").isPositive();
            assertThat(collapsed.get()).as("collapsed").isPositive();
            assertThat(split.get()).as("split").isPositive();
            assertThat(young.get()).as("young").isPositive();
        }
    }

    @ParameterizedTest(name = "{0} KiB host pages level, {1} vCPUs")
    @DisplayName("H03 pages swapped out, migrated, merged, collapsed, split and aged under a guest whose MMUs are swapped: every translation allowed, every write logged")
    @CsvSource({"1,1", "2,1", "1,4"})
    void unnoticed(int hostLevel, int vcpus) {
        Machine still = Trial.finish(Trial.machine(vmx, Trial.skylake(profiles), forks, "shadow", hostLevel, vcpus));
        Machine machine = Trial.machine(vmx, Trial.skylake(profiles), forks, "shadow", hostLevel, vcpus);
        Host host = new Host(machine, 12_000);
        machine.dirtyLog().start();
        TreeSet<Long> logged = new TreeSet<>();
        TreeSet<Long> written = new TreeSet<>();
        int rounds = 0;
        long frames = 0;
        while (machine.run(2_000)) {
            for (int i = 0; i < 20; i++) {
                host.event();
            }
            if (++rounds % 5 == 0) {
                machine.hotSwap().swap(DESIGNS[rounds / 5 % DESIGNS.length], Map.of());
            }
            if (rounds % 7 == 0) {
                logged.clear();
                written.clear();
                machine.dirtyLog().harvest(logged::add);
                machine.checker().takeWritten(written::add);
                assertThat(logged).isEqualTo(written);
                frames += written.size();
                machine.hotSwap().audit(problem -> assertThat(problem).isNull());
            }
        }
        host.assertAllKinds();
        assertThat(frames).as("written frames in all harvests").isPositive();
        assertThat(machine.hotSwap().misconduct()).isEmpty();
        assertThat(machine.hotSwap().reports()).hasSizeGreaterThan(20);
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        assertThat(machine.operations()).isEqualTo(still.operations());
        assertThat(machine.guestDigest()).isEqualTo(still.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(still.memoryDigest());
        machine.close();
        still.close();
    }

    @ParameterizedTest(name = "host pages level {0}")
    @DisplayName("P01 with a thread per vCPU, host events, swaps and harvests from other threads: the guests do what they do alone")
    @ValueSource(ints = {1, 2})
    void threads(int hostLevel) throws InterruptedException {
        MachineConfig config = new MachineConfig(64 << 20, hostLevel, Trial.skylake(profiles), "shadow", Map.of(), false);
        Machine still = Trial.finish(vmx.create(config.withVcpus(VCPUS, false), forks.prepare(1)));
        Machine machine = vmx.create(config.withVcpus(VCPUS, true), forks.prepare(1));
        Host host = new Host(machine, machine.hostPages().frames());
        AtomicReference<Throwable> failure = new AtomicReference<>();
        AtomicBoolean over = new AtomicBoolean();
        AtomicLong swaps = new AtomicLong();
        AtomicLong harvested = new AtomicLong();
        // A guest that is logged has no large pages; with large host pages they are what is raced.
        boolean logged = hostLevel == 1;
        if (logged) {
            machine.dirtyLog().start();
        }
        Thread[] others = {
            meanwhile(over, failure, () -> {
                for (int i = 0; i < 100; i++) {
                    host.event();
                }
            }),
            meanwhile(over, failure, () -> {
                if (logged) {
                    machine.dirtyLog().harvest(gfn -> harvested.incrementAndGet());
                }
            }),
            meanwhile(over, failure, () -> machine.hotSwap().swap(DESIGNS[(int) (swaps.getAndIncrement() % DESIGNS.length)], Map.of())),
        };
        try {
            // A guest that is much faster than the host's threads would be over before they have done anything to it.
            for (long awaited = 300; machine.run(20_000); awaited += 300) {
                while (host.events.get() < Math.min(awaited, EVENTS) && failure.get() == null) {
                    Thread.sleep(1);
                }
            }
        } finally {
            over.set(true);
            for (Thread t : others) {
                t.join();
            }
        }
        assertThat(failure.get()).isNull();
        assertThat(machine.hotSwap().misconduct()).isEmpty();
        assertThat(swaps.get()).isGreaterThan(10);
        assertThat(harvested.get() > 0).isEqualTo(logged);
        host.assertAllKinds();
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
        assertThat(machine.operations()).isEqualTo(still.operations());
        assertThat(machine.guestDigest()).isEqualTo(still.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(still.memoryDigest());
        machine.close();
        still.close();
    }

    private static Thread meanwhile(AtomicBoolean over, AtomicReference<Throwable> failure, Runnable work) {
        Thread t = new Thread(() -> {
            try {
                while (!over.get() && failure.get() == null) {
                    work.run();
                    Thread.sleep(1);
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        });
        t.start();
        return t;
    }
}
