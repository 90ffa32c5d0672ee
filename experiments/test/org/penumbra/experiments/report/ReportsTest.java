package org.penumbra.experiments.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.FakeContainer;
import org.penumbra.experiments.run.Requests;

/** The tables, to the letter. */
class ReportsTest {
    private final FakeContainer container = new FakeContainer();
    private final Locale locale = Locale.getDefault();

    @AfterEach
    void restoreLocale() {
        Locale.setDefault(locale);
    }

    private static List<String> summary(CampaignResult result) {
        return SummaryReport.lines(result, UnaryOperator.identity());
    }

    @Test
    @DisplayName("X12 the comparison has a line for each workload under each design, with its overhead over native")
    void comparison() {
        Locale.setDefault(Locale.GERMANY);
        CampaignResult result = new Requests().workloads("fork-heavy").run(container);
        assertThat(summary(result)).containsExactly(
                "shadow-vs-ept on skylake, 256 MiB of guest memory, 4level paging, seed 1",
                "",
                "Workload    Design   Accesses  TLB misses  Walks  Refs/walk  Exits     Cycles  Overhead",
                "fork-heavy  native  3,000,000       1,000    300       3.00      0  2,500,000    1.000x",
                "fork-heavy  shadow  3,000,000       1,000    300      10.00    120  2,620,000    1.048x",
                "fork-heavy  ept     3,000,000       1,000    300      10.00    120  2,620,000    1.048x",
                "fork-heavy  ept-2m  3,000,000       1,000    300      10.00    120  2,620,000    1.048x");
    }

    @Test
    @DisplayName("X12 mechanisms are compared with the first design of each workload: cycles, exits, emulated writes")
    void ablation() {
        container.behaviour("ept").operations = 5_000_000;
        CampaignResult result = new Requests().workloads("trace:a", "fork-heavy").designs("shadow", "ept", "native").run(container);
        assertThat(AblationReport.lines(result, UnaryOperator.identity()).subList(2, 9)).containsExactly(
                "Workload    Design     Cycles  x first  Exits  x first  Emulated  x first",
                "trace:a     shadow  2,620,000   1.000x    120   1.000x         0        -",
                "trace:a     ept     5,200,000   1.985x    200   1.667x         0        -",
                "trace:a     native  2,500,000   0.954x      0   0.000x         0        -",
                "fork-heavy  shadow  2,620,000   1.000x    120   1.000x         0        -",
                "fork-heavy  ept     5,200,000   1.985x    200   1.667x         0        -",
                "fork-heavy  native  2,500,000   0.954x      0   0.000x         0        -");
    }

    @Test
    @DisplayName("X12 without a native trial no overhead is invented")
    void noNative() {
        assertThat(summary(new Requests().workloads("fork-heavy").designs("ept").run(container)).get(3)).endsWith("2,620,000         -");
    }

    @Test
    @DisplayName("X04 a failed trial has a line that says so")
    void failed() {
        container.behaviour("shadow").failure = new MachineException("no");
        CampaignResult result = new Requests().workloads("fork-heavy").designs("native", "shadow").run(container);
        assertThat(summary(result).get(4)).isEqualTo(
                "fork-heavy  shadow          -           -      -          -      -          -    failed");
    }

    @Test
    @DisplayName("X04 repetitions are averaged, and the heading says so")
    void repetitions() {
        CampaignResult result = new Requests().workloads("fork-heavy").designs("native").repetitions(3).run(container);
        assertThat(summary(result).get(0)).endsWith("means of 3 repetitions, seeds 1 to 3");
        assertThat(summary(result)).hasSize(4);
    }

    @Test
    @DisplayName("no line is wider than 110 columns, also with figures of billions")
    void width() {
        container.workload("a-workload-with-quite-a-long-name-indeed.trace.xz");
        container.behaviour("").operations = 10_000_000_000L;
        container.behaviour("shadow").operations = 10_000_000_000L;
        CampaignResult result = new Requests().workloads("a-workload*").designs("native", "shadow").run(container);
        assertThat(summary(result)).allMatch(l -> l.length() <= 110).anyMatch(l -> l.contains("10,0"));
    }

    @Test
    @DisplayName("X08 exits stand in the columns of perf kvm stat, the most costly reason first")
    void exits() {
        CampaignResult result = new Requests().workloads("fork-heavy").designs("native", "ept").run(container);
        assertThat(ExitReport.lines(result, UnaryOperator.identity())).containsExactly(
                "",
                "Exits of fork-heavy under ept: 120, times in simulated cycles, 122,340 in all",
                "",
                "VM-EXIT        Samples  Samples%   Time%  Min Time  Max Time  Avg time",
                "EPT_VIOLATION       90    75.00%  75.04%     1,001     1,039  1,020.00",
                "CR_ACCESS           30    25.00%  24.96%     1,000     1,036  1,018.00");
    }

    @Test
    @DisplayName("X08 repetitions are added up")
    void exitsOfRepetitions() {
        CampaignResult result = new Requests().workloads("fork-heavy").designs("ept").repetitions(2).run(container);
        assertThat(ExitReport.lines(result, UnaryOperator.identity())).satisfies(lines -> {
            assertThat(lines.get(1)).contains(": 240, ", "244,800 in all");
            assertThat(lines.get(4)).isEqualTo("EPT_VIOLATION      180    75.00%  75.04%     1,001     1,040  1,020.50");
        });
    }

    @Test
    @DisplayName("X04 a checked run shows what was compared; an unchecked one shows nothing of it")
    void check() {
        container.behaviour("ept").wrong = 2;
        CampaignResult result = new Requests().workloads("fork-heavy").designs("native", "ept").check().run(container);
        assertThat(CheckReport.lines(result, UnaryOperator.identity())).containsExactly(
                "",
                "Translations compared with the specification",
                "",
                "Workload    Design   Compared    Current  Stale, legal  Wrong",
                "fork-heavy  native  3,000,000  2,999,995             5      0",
                "fork-heavy  ept     3,000,000  2,999,993             5      2");
        assertThat(CheckReport.lines(new Requests().run(container), UnaryOperator.identity())).isEmpty();
    }
}
