package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.devices.interrupt.Stress.Kind;
import org.penumbra.devices.interrupt.Stress.Source;

class IrqfdStressTest {
    private static final long SIGNALS = Long.getLong("penumbra.irqfd.signals", 10_000_000);
    private static final long SECONDS = Long.getLong("penumbra.irqfd.seconds", 120);

    @Test
    @DisplayName("I03 under changing routes and controllers each signal has a delivery after it, and no more are delivered")
    void stress() throws Exception {
        Stress stress = new Stress(SECONDS);
        Source shared = stress.source(Kind.SHARED, 4);
        List<Source> first = List.of(
                stress.source(Kind.EDGE, 0), stress.source(Kind.RESAMPLE, 16), stress.source(Kind.MOVED, 20), shared);
        List<Source> second = List.of(
                stress.source(Kind.EDGE, 1), stress.source(Kind.RESAMPLE, 17), stress.source(Kind.MOVED, 22), shared);
        stress.startVcpus();
        Thread churn = stress.thread("churn", () -> stress.churn(1));
        Thread[] devices = {
            stress.thread("device 1", () -> stress.device(SIGNALS / 8, 2, first)),
            stress.thread("device 2", () -> stress.device(SIGNALS / 8, 3, second))
        };
        long start = System.nanoTime();
        churn.start();
        for (Thread d : devices) {
            d.start();
        }
        for (Thread d : devices) {
            d.join();
        }
        stress.calm = true;
        churn.join();
        while (!stress.failed() && !stress.idle() && System.nanoTime() < stress.deadline) {
            Thread.sleep(1);
        }
        boolean idle = stress.idle();
        stress.stop();
        assertThat(stress.failures).isEmpty();
        assertThat(idle).as("everything has been delivered").isTrue();

        long issued = 0;
        for (Source s : stress.sources) {
            String name = s.kind + " GSI " + s.gsi;
            issued += s.issued.get();
            assertThat(s.covered).as(name + ": the last signal was delivered").hasValue(s.issued.get());
            assertThat(s.deliveries.get()).as(name).isPositive().isLessThanOrEqualTo(s.issued.get() + s.moves);
            if (s.kind == Kind.RESAMPLE) {
                assertThat(s.resampled).as(name + ": one resampling for each delivery").hasValue(s.deliveries.get());
            }
            if (s.kind == Kind.EDGE || s.kind == Kind.RESAMPLE) {
                assertThat(s.singles.get()).as(name + ": bursts of one signal").isGreaterThan(SIGNALS / 8 / 1000);
            }
            System.out.printf("%-14s %,11d signals %,11d deliveries %,9d moves %,8d singles%n",
                    name, s.issued.get(), s.deliveries.get(), s.moves, s.singles.get());
        }
        assertThat(issued).isGreaterThanOrEqualTo(SIGNALS / 8 * 8);
        assertThat(stress.interrupts.state().irr()).containsOnly(0);
        assertThat(stress.interrupts.state().isr()).containsOnly(0);
        assertThat(stress.interrupts.state().lines()).isZero();
        System.out.printf("%,d route changes, %,d swaps, %,d absences, %,d ms%n",
                stress.routeChanges, stress.swaps, stress.absences, (System.nanoTime() - start) / 1_000_000);
        assertThat(Arrays.asList(stress.routeChanges, stress.swaps, stress.absences)).allMatch(n -> n > 50);
    }
}
