package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.TrialResult;

/** What a guest's guest (L2) costs: its exits, those that its hypervisor (L1) sees, and how many of the host's (L0) each comes to. */
public final class NestingReport {
    private static final String L2_EXITS = "nested_exits";
    private static final String REFLECTED = "nested_exits_reflected";

    private NestingReport() {}

    /** A line for each workload and design: means over repetitions. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        lines.add(SummaryReport.heading(campaign, "means"));
        lines.add("");
        ConsoleTable table = new ConsoleTable("llrrrrrrr", "Workload", "Design of L0", "L2 exits", "seen by L1", "Exits in all", "per L2 exit",
                "Walks", "Refs/walk", "Cycles");
        for (Cell c : Cell.of(campaign)) {
            if (c.results().isEmpty()) {
                table.row(c.workload(), c.design(), Figures.NONE, Figures.NONE, Figures.NONE, Figures.NONE, Figures.NONE, Figures.NONE, "failed");
                continue;
            }
            double inner = c.mean(r -> r.counters().getOrDefault(L2_EXITS, 0L));
            double all = c.mean(TrialResult::exitCount);
            table.row(c.workload(), c.design(), Figures.count(Math.round(inner)),
                    Figures.count(Math.round(c.mean(r -> r.counters().getOrDefault(REFLECTED, 0L)))), Figures.count(Math.round(all)),
                    inner == 0 ? Figures.NONE : Figures.decimal(all / inner), Figures.count(Math.round(c.mean(r -> r.translation().walks()))),
                    Figures.decimal(c.mean(r -> r.translation().referencesPerWalk())), Figures.count(Math.round(c.mean(TrialResult::cycles))));
        }
        lines.addAll(table.lines(emphasis));
        return lines;
    }
}
