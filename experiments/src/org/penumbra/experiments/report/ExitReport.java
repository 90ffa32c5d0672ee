package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.TrialResult;

/** Exits by reason, in the columns of {@code perf kvm stat report} (Linux, tools/perf), with simulated cycles for its times. */
public final class ExitReport {
    private ExitReport() {}

    /** A table for each workload and design that had exits; repetitions are added up. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        for (Cell c : Cell.of(campaign)) {
            List<ExitTable.Row> rows = merged(c.results());
            if (!rows.isEmpty()) {
                lines.addAll(section(c, rows, emphasis));
            }
        }
        return lines;
    }

    private static List<String> section(Cell cell, List<ExitTable.Row> rows, UnaryOperator<String> emphasis) {
        long samples = rows.stream().mapToLong(ExitTable.Row::samples).sum();
        long cycles = rows.stream().mapToLong(ExitTable.Row::cycles).sum();
        ConsoleTable table = new ConsoleTable("lrrrrrr", "VM-EXIT", "Samples", "Samples%", "Time%", "Min Time", "Max Time", "Avg time");
        for (ExitTable.Row r : rows) {
            table.row(r.reason().name(), Figures.count(r.samples()), Figures.percent(r.samples(), samples),
                    Figures.percent(r.cycles(), cycles), Figures.count(r.min()), Figures.count(r.max()), Figures.decimal(r.average()));
        }
        List<String> lines = new ArrayList<>();
        lines.add("");
        lines.add("Exits of " + cell.workload() + " under " + cell.design() + ": " + Figures.count(samples)
                + ", times in simulated cycles, " + Figures.count(cycles) + " in all");
        lines.add("");
        lines.addAll(table.lines(emphasis));
        return lines;
    }

    /** The rows of several trials as one table, the most costly reason first. */
    static List<ExitTable.Row> merged(List<TrialResult> results) {
        Map<ExitReason, ExitTable.Row> byReason = new EnumMap<>(ExitReason.class);
        for (TrialResult result : results) {
            for (ExitTable.Row r : result.exits()) {
                byReason.merge(r.reason(), r, (a, b) -> new ExitTable.Row(a.reason(), a.samples() + b.samples(),
                        a.cycles() + b.cycles(), Math.min(a.min(), b.min()), Math.max(a.max(), b.max())));
            }
        }
        List<ExitTable.Row> rows = new ArrayList<>(byReason.values());
        rows.sort(Comparator.comparingLong(ExitTable.Row::cycles).reversed().thenComparing(ExitTable.Row::reason));
        return rows;
    }
}
