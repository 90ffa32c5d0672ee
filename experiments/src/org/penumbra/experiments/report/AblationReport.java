package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.TrialResult;

/** Each design against the first one that the workload ran under: what a change of it costs or saves. */
public final class AblationReport {
    /** The hypervisor's counter of emulated instructions: under shadow paging, writes to guest tables. */
    private static final String EMULATED = "insn_emulation";

    private AblationReport() {}

    /** A line for each workload and design: means over repetitions, and beside them the ratio to the first design's mean. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        lines.add(SummaryReport.heading(campaign, "means"));
        lines.add("");
        ConsoleTable table = new ConsoleTable("llrrrrrr", "Workload", "Design", "Cycles", "x first", "Exits", "x first", "Emulated",
                "x first");
        Cell first = null;
        for (Cell c : Cell.of(campaign)) {
            if (first == null || !first.workload().equals(c.workload())) {
                first = c;
            }
            List<String> row = new ArrayList<>(List.of(c.workload(), c.design()));
            add(row, c, first, TrialResult::cycles);
            add(row, c, first, TrialResult::exitCount);
            add(row, c, first, r -> r.counters().getOrDefault(EMULATED, 0L));
            table.row(row.toArray(String[]::new));
        }
        lines.addAll(table.lines(emphasis));
        return lines;
    }

    private static void add(List<String> row, Cell cell, Cell first, ToDoubleFunction<TrialResult> figure) {
        if (cell.results().isEmpty()) {
            row.add("failed");
            row.add(Figures.NONE);
            return;
        }
        double value = cell.mean(figure);
        double base = first.mean(figure);
        row.add(Figures.count(Math.round(value)));
        row.add(base == 0 ? Figures.NONE : Figures.ratio(value / base));
    }
}
