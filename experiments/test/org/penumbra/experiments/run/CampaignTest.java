package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;

class CampaignTest {
    private final FakeContainer container = new FakeContainer();
    private final Requests one = new Requests().workloads("fork-heavy").designs("native", "shadow", "ept-2m");

    @Test
    @DisplayName("X04 each trial gets a machine of its own, made as the plan says, and closed")
    void machines() {
        CampaignResult result = one.set("shadow.unsync", "off").memory(64 << 20).check().run(container);
        assertThat(container.made).extracting(MachineConfig::mmu).containsExactly("", "shadow", "ept");
        assertThat(container.made).extracting(MachineConfig::hostPageLevel).containsExactly(1, 1, 2);
        assertThat(container.made).extracting(MachineConfig::memoryBytes).containsOnly(64L << 20);
        assertThat(container.made).extracting(MachineConfig::check).containsOnly(true);
        assertThat(container.made).extracting(c -> c.hardware().name()).containsOnly("skylake");
        assertThat(container.made).extracting(MachineConfig::settings)
                .containsExactly(Map.of(), Map.of("shadow.unsync", "off"), Map.of());
        assertThat(container.open).isZero();
        assertThat(result.finished()).hasSize(3);
        assertThat(result.timings()).hasSize(3);
        assertThat(result.interrupted()).isFalse();
    }

    @Test
    @DisplayName("X04 progress is told while a trial runs")
    void progress() {
        List<String> told = new ArrayList<>();
        new Campaign(container.registry, one.designs("native").plan(container)).run(new CampaignListener() {
            @Override
            public void started(Trial trial) {
                told.add("started");
            }

            @Override
            public void progress(Trial trial, long operations) {
                told.add("" + operations);
            }

            @Override
            public void ended(CampaignResult soFar) {
                told.add("ended " + soFar.finished().size());
            }

            @Override
            public void finished(CampaignResult result) {
                told.add("finished");
            }
        }, () -> false);
        assertThat(told).containsExactly("started", "1000000", "2000000", "ended 1", "finished");
    }

    @Test
    @DisplayName("X12 overhead is the ratio to the native trial of the same workload and seed")
    void overhead() {
        CampaignResult result = one.workloads("trace:a", "fork-heavy").repetitions(2).run(container);
        // 3 batches of 40 exits at 1000 cycles on 2.5 million operations of one cycle
        assertThat(result.finished()).filteredOn(r -> r.trial().design().name().equals("shadow"))
                .allSatisfy(r -> assertThat(result.overhead(r)).contains(2_620_000.0 / 2_500_000));
        assertThat(result.finished()).filteredOn(r -> r.trial().design().name().equals("native"))
                .allSatisfy(r -> assertThat(result.overhead(r)).contains(1.0));
        assertThat(result.finished()).allSatisfy(r -> assertThat(result.nativeOf(r)).hasValueSatisfying(n -> {
            assertThat(n.trial().seed()).isEqualTo(r.trial().seed());
            assertThat(n.trial().workload()).isEqualTo(r.trial().workload());
        }));
    }

    @Test
    @DisplayName("X12 without a native trial there is no overhead")
    void noNative() {
        CampaignResult result = one.designs("shadow").run(container);
        assertThat(result.overhead(result.finished().get(0))).isEmpty();
    }

    @Test
    @DisplayName("X04 a trial that fails does not stop the others, whatever was thrown")
    void failures() {
        Map<Throwable, String> cases = Map.of(
                new MachineException("triple fault at rip 0x10"), "triple fault at rip 0x10",
                new UncheckedIOException("ls.xz:7: bad", new IOException("ls.xz:7: bad")), "ls.xz:7: bad",
                new IllegalStateException("broken"), "java.lang.IllegalStateException: broken",
                new NoClassDefFoundError("x/Y"), "java.lang.NoClassDefFoundError: x/Y",
                new StackOverflowError(), "java.lang.StackOverflowError",
                new MachineException("two\n lines"), "two; lines");
        cases.forEach((thrown, message) -> {
            container.behaviour("shadow").failure = thrown;
            CampaignResult result = one.run(container);
            assertThat(result.finished()).extracting(r -> r.trial().design().name()).containsExactly("native", "ept-2m");
            assertThat(result.failures()).extracting(TrialFailure::message).containsExactly(message);
            assertThat(result.failures().get(0).cause()).isSameAs(thrown);
            assertThat(result.timings()).hasSize(3);
            assertThat(container.open).as("a failed machine is closed too").isZero();
        });
    }

    @Test
    @DisplayName("X04 an exhausted heap says what to do")
    void heap() {
        container.behaviour("").failure = new OutOfMemoryError("Java heap space");
        assertThat(one.run(container).failures().get(0).message()).matches("Java's heap of \\d+ MiB is exhausted; run with a larger heap"
                + " or a smaller workload");
    }

    @Test
    @DisplayName("X04 a guest that powers off with an error is a failed trial")
    void exitCode() {
        container.behaviour("ept").exitCode = 12;
        CampaignResult result = one.run(container);
        assertThat(result.finished()).hasSize(2);
        assertThat(result.failures()).extracting(TrialFailure::message)
                .containsExactly("the guest powered off with code 12 after 2500000 operations; 0 means success");
    }

    @Test
    @DisplayName("X04 a machine factory that has gone fails the trials that need it")
    void factoryGone() {
        Plan plan = one.plan(container);
        container.registry.unbindMachineFactory(container.registry.machineFactory("vmx").orElseThrow(), FakeContainer.REGISTERED);
        CampaignResult result = new Campaign(container.registry, plan).run(new CampaignListener() {}, () -> false);
        assertThat(result.finished()).hasSize(1);
        assertThat(result.failures()).extracting(TrialFailure::message).containsOnly("no machine of kind 'vmx' is left in the container");
    }

    @Test
    @DisplayName("X04 an interrupt in the middle of a trial keeps the finished ones and closes the machine")
    void interrupt() {
        boolean[] stop = new boolean[1];
        container.behaviour("shadow").atBatch = () -> stop[0] = true;
        List<CampaignResult> told = new ArrayList<>();
        CampaignResult result = new Campaign(container.registry, one.plan(container)).run(new CampaignListener() {
            @Override
            public void finished(CampaignResult r) {
                told.add(r);
            }
        }, () -> stop[0]);
        assertThat(result.interrupted()).isTrue();
        assertThat(result.finished()).extracting(r -> r.trial().design().name()).containsExactly("native");
        assertThat(result.failures()).isEmpty();
        assertThat(container.made).hasSize(2);
        assertThat(container.open).isZero();
        assertThat(told).containsExactly(result);
    }
}
