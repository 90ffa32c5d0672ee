package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.function.UnaryOperator;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.TrialResult.Check;

/** What the comparison of every translation with the specification found. */
public final class CheckReport {
    private CheckReport() {}

    /** A line for each workload under each design; repetitions are added up. Empty if nothing was checked. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        ConsoleTable table = new ConsoleTable("llrrrr", "Workload", "Design", "Compared", "Current", "Stale, legal", "Wrong");
        for (Cell c : Cell.of(campaign)) {
            List<Check> checks = c.results().stream().map(r -> r.check()).filter(check -> check != null).toList();
            if (!checks.isEmpty()) {
                table.row(c.workload(), c.design(), sum(checks, Check::compared), sum(checks, Check::current),
                        sum(checks, Check::stale), sum(checks, Check::wrong));
            }
        }
        if (table.isEmpty()) {
            return List.of();
        }
        List<String> lines = new ArrayList<>();
        lines.add("");
        lines.add("Translations compared with the specification");
        lines.add("");
        lines.addAll(table.lines(emphasis));
        return lines;
    }

    private static String sum(List<Check> checks, ToLongFunction<Check> figure) {
        return Figures.count(checks.stream().mapToLong(figure).sum());
    }
}
