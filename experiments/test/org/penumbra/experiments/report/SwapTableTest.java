package org.penumbra.experiments.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.experiment.Measurement;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.FakeContainer;
import org.penumbra.experiments.run.Requests;

/** The table of swaps, to the letter, and the figures behind it. */
class SwapTableTest {
    private final FakeContainer container = new FakeContainer();
    private final Requests request = new Requests().experiment("hot-swap").workloads("fork-heavy").vcpus(1, 4).every(100_000);

    private static List<String> table(CampaignResult result) {
        return SwapTable.lines(result, UnaryOperator.identity());
    }

    @Test
    @DisplayName("P01 a line for each workload on so many vCPUs, of the guest with swaps")
    void lines() {
        assertThat(table(request.run(container))).containsExactly(
                "hot-swap on skylake, 256 MiB of guest memory, 4level paging, seed 1",
                "",
                "Workload    vCPUs  Swaps   Compared  Wrong  Ops ±  Missed  Extra  Same                Pause  Dropped  Rebuilt",
                "fork-heavy      1     24  3,000,000      0      0       0      0  yes, yes  12,000 / 11,000    12.50    13.50",
                "fork-heavy      4      6  3,000,000      0      0       0      0  yes, yes    4,000 / 3,000     3.50     4.50",
                "",
                "Compared, Wrong: translations. Ops ±: operations lost (-) or repeated (+) against the guest left alone.",
                "Missed, Extra: frames of the dirty log against those written. Same: values loaded, memory at the end.",
                "Pause: simulated cycles of a swap to shadow / ept, medians. Dropped, Rebuilt: frames of an MMU, per swap.");
    }

    @Test
    @DisplayName("P01 repetitions are added up, and what is wrong in one of them shows")
    void repetitions() {
        container.behaviour("shadow").memoryChangedBySwap = 1;
        container.behaviour("shadow").lostBySwap = 1;
        container.behaviour("shadow").wrong = 3;
        List<String> table = table(request.vcpus(4).repetitions(2).run(container));
        assertThat(table.get(0)).endsWith("sums of 2 repetitions, seeds 1 to 2");
        assertThat(table.get(3)).isEqualTo(
                "fork-heavy      4     12  6,000,000      6    -12       0      0  yes, no  4,000 / 3,000     3.50     4.50");
    }

    @Test
    @DisplayName("P01 a trial that failed has a line that says so, and a guest without one to compare with has no difference")
    void failed() {
        container.behaviour("shadow").failure = new MachineException("no");
        assertThat(table(request.vcpus(4).run(container)).get(3)).matches("fork-heavy +4 +- .* failed +-.*");
    }

    @Test
    @DisplayName("P01 every figure of the table is a measurement, the comparison with the guest left alone included")
    void measurements() {
        container.behaviour("shadow").lostBySwap = 1;
        CampaignResult result = request.vcpus(4).run(container);
        List<String> figures = Measurements.of(result, result.finished().get(1)).stream()
                .filter(m -> m.design().equals("shadow+ept")).map(m -> m.metric() + "=" + m.value() + " " + m.unit()).toList();
        assertThat(figures).contains("vcpus=4 vCPUs", "swaps=6 swaps", "swap_cycles=21000 cycles", "swap_cycles_median=3000 cycles",
                "swap_cycles_median.shadow=4000 cycles", "swap_cycles_median.ept=3000 cycles", "swap_dropped_frames=21 frames",
                "swap_rebuilt_frames=27 frames", "swap_drained_frames=6 frames", "swap_violations=0 violations", "dirty_harvests=3 harvests",
                "dirty_missed=0 frames", "dirty_extra=0 frames", "operations_difference=-6 operations", "guest_digest_same=1 boolean",
                "memory_digest_same=1 boolean", "translations_wrong=0 translations");
        assertThat(Measurements.of(result, result.finished().get(0))).extracting(Measurement::metric)
                .contains("dirty_frames").doesNotContain("operations_difference");
    }
}
