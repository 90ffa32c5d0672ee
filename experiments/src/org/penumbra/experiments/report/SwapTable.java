package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToLongFunction;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.SwapFigures;
import org.penumbra.experiments.run.TrialResult;

/** What became of guests whose MMU was swapped, against the same guests left alone. */
public final class SwapTable {
    private SwapTable() {}

    /** A line for each workload on so many vCPUs, with swaps; repetitions are added up, of medians the largest is shown. */
    public static List<String> lines(CampaignResult campaign, UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        lines.add(SummaryReport.heading(campaign, "sums"));
        lines.add("");
        ConsoleTable table = new ConsoleTable("lrrrrrrrlrrr", "Workload", "vCPUs", "Swaps", "Compared", "Wrong", "Ops ±", "Missed", "Extra",
                "Same", "Pause", "Dropped", "Rebuilt");
        for (Cell c : Cell.of(campaign)) {
            if (c.swapped() && !c.results().isEmpty()) {
                row(table, campaign, c, c.results());
            } else if (c.swapped()) {
                String none = Figures.NONE;
                table.row(c.workload(), Figures.count(c.vcpus()), none, none, none, none, none, none, "failed", none, none, none);
            }
        }
        lines.addAll(table.lines(emphasis));
        lines.add("");
        lines.add("Compared, Wrong: translations. Ops ±: operations lost (-) or repeated (+) against the guest left alone.");
        lines.add("Missed, Extra: frames of the dirty log against those written. Same: values loaded, memory at the end.");
        lines.add("Pause: simulated cycles of a swap to " + String.join(" / ", campaign.plan().designs().stream().map(Design::name).toList())
                + ", medians. Dropped, Rebuilt: frames of an MMU, per swap.");
        return lines;
    }

    private static void row(ConsoleTable table, CampaignResult campaign, Cell c, List<TrialResult> swapped) {
        boolean checked = swapped.stream().allMatch(r -> r.check() != null);
        long swaps = sum(swapped, r -> r.swaps().swaps());
        table.row(c.workload(), Figures.count(c.vcpus()), Figures.count(swaps),
                checked ? Figures.count(sum(swapped, r -> r.check().compared())) : Figures.NONE,
                checked ? Figures.count(sum(swapped, r -> r.check().wrong())) : Figures.NONE,
                operations(campaign, swapped),
                checked ? Figures.count(sum(swapped, r -> r.swaps().dirty().missed())) : Figures.NONE,
                checked ? Figures.count(sum(swapped, r -> r.swaps().dirty().extra())) : Figures.NONE,
                same(campaign, swapped), pauses(swapped),
                perSwap(swapped, swaps, SwapFigures::droppedFrames), perSwap(swapped, swaps, SwapFigures::rebuiltFrames));
    }

    private static String operations(CampaignResult campaign, List<TrialResult> swapped) {
        long difference = 0;
        for (TrialResult r : swapped) {
            Optional<TrialResult> alone = campaign.undisturbed(r);
            if (alone.isEmpty()) {
                return Figures.NONE;
            }
            difference += r.operations() - alone.get().operations();
        }
        return difference == 0 ? "0" : String.format(Locale.ROOT, "%+,d", difference);
    }

    /** Whether each guest loaded the same values, and left the same memory. */
    private static String same(CampaignResult campaign, List<TrialResult> swapped) {
        boolean loads = true;
        boolean memory = true;
        for (TrialResult r : swapped) {
            Optional<TrialResult> alone = campaign.undisturbed(r);
            if (alone.isEmpty()) {
                return Figures.NONE;
            }
            loads &= r.guestDigest() == alone.get().guestDigest();
            memory &= r.memoryDigest() == alone.get().memoryDigest();
        }
        return (loads ? "yes" : "no") + ", " + (memory ? "yes" : "no");
    }

    /** The medians of swaps to each design, in the order of the designs. */
    private static String pauses(List<TrialResult> swapped) {
        return swapped.get(0).swaps().medianCyclesTo().keySet().stream()
                .map(d -> Figures.count(swapped.stream().mapToLong(r -> r.swaps().medianCyclesTo().get(d)).max().orElse(0)))
                .collect(Collectors.joining(" / "));
    }

    private static String perSwap(List<TrialResult> swapped, long swaps, ToLongFunction<SwapFigures> frames) {
        return swaps == 0 ? Figures.NONE : Figures.decimal((double) sum(swapped, r -> frames.applyAsLong(r.swaps())) / swaps);
    }

    private static long sum(List<TrialResult> results, ToLongFunction<TrialResult> figure) {
        return results.stream().mapToLong(figure).sum();
    }
}
