package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.RunRequest;
import org.penumbra.experiments.run.TrialResult;

/** The comparison: a line for each workload under each design. */
public final class SummaryReport {
    private SummaryReport() {}

    /** The lines, with what they were measured on above them. Repetitions are averaged. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        lines.add(heading(campaign, "means"));
        lines.add("");
        ConsoleTable table = new ConsoleTable("llrrrrrrr", "Workload", "Design", "Accesses", "TLB misses", "Walks", "Refs/walk", "Exits",
                "Cycles", "Overhead");
        for (Cell c : Cell.of(campaign)) {
            if (c.results().isEmpty()) {
                table.row(c.workload(), c.design(), Figures.NONE, Figures.NONE, Figures.NONE, Figures.NONE, Figures.NONE,
                        Figures.NONE, "failed");
                continue;
            }
            boolean measured = campaign.measuresTranslation();
            table.row(c.workload(), c.design(), count(c, TrialResult::accesses), measured ? count(c, TrialResult::firstLevelMisses) : Figures.NONE,
                    measured ? count(c, r -> r.translation().walks()) : Figures.NONE,
                    !measured || c.results().stream().allMatch(r -> r.translation().completedWalks() == 0) ? Figures.NONE
                            : Figures.decimal(c.mean(r -> r.translation().referencesPerWalk())),
                    count(c, TrialResult::exitCount), measured ? count(c, TrialResult::cycles) : Figures.NONE,
                    c.overhead(campaign).map(Figures::ratio).orElse(Figures.NONE));
        }
        lines.addAll(table.lines(emphasis));
        if (!campaign.measuresTranslation()) {
            lines.add("");
            lines.add("A functional TLB (tlb.model is 0): what TLBs and walks do and cost was not measured, nor cycles.");
        }
        return lines;
    }

    /** What a table was measured on; {@code merged} says what becomes of repetitions: "means" or "sums". */
    static String heading(CampaignResult campaign, String merged) {
        RunRequest request = campaign.plan().request();
        return campaign.plan().experiment().id() + " on " + campaign.plan().hardware().name() + (campaign.measuresTranslation() ? ", " : " with a functional TLB, ")
                + Figures.bytes(request.memoryBytes()) + " of guest memory, "
                + paging(campaign.plan().paging()) + ", " + seeds(request, merged);
    }

    private static String paging(PagingMode mode) {
        return mode == PagingMode.NONE ? "no paging" : mode.label() + " paging";
    }

    private static String seeds(RunRequest request, String merged) {
        return request.repetitions() == 1 ? "seed " + request.seed() : merged + " of " + request.repetitions() + " repetitions, seeds "
                + request.seed() + " to " + (request.seed() + request.repetitions() - 1);
    }

    private static String count(Cell cell, ToDoubleFunction<TrialResult> figure) {
        return Figures.count(Math.round(cell.mean(figure)));
    }
}
