package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.Work;
import org.penumbra.api.experiment.Measurement;
import org.penumbra.api.observe.ExitTable;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.SwapFigures;
import org.penumbra.experiments.run.Trial;
import org.penumbra.experiments.run.TrialResult;

/** The figures of finished trials, one by one. The README lists every metric with its unit. */
public final class Measurements {
    /** The unit of a digest: 64 bits, written as {@code 0x} and 16 digits. */
    public static final String HEX = "hex";

    private final List<Measurement> list = new ArrayList<>();
    private final Plan plan;
    private Trial trial;

    private Measurements(Plan plan) {
        this.plan = plan;
    }

    /** All figures of all finished trials, in the order of the trials. */
    public static List<Measurement> of(CampaignResult campaign) {
        Measurements m = new Measurements(campaign.plan());
        campaign.finished().forEach(r -> m.addAll(campaign, r));
        return m.list;
    }

    /** All figures of one finished trial. */
    public static List<Measurement> of(CampaignResult campaign, TrialResult result) {
        Measurements m = new Measurements(campaign.plan());
        m.addAll(campaign, result);
        return m.list;
    }

    private void addAll(CampaignResult campaign, TrialResult r) {
        trial = r.trial();
        add("operations", "operations", r.operations());
        add("accesses", "accesses", r.accesses());
        if (campaign.measuresTranslation()) {
            add("first_level_misses", "misses", r.firstLevelMisses());
            add("second_level_hits", "hits", r.translation().secondLevelHits());
            add("walks", "walks", r.translation().walks());
            add("guest_references", "references", r.translation().guestReferences());
            add("host_references", "references", r.translation().hostReferences());
            add("references_per_walk", "references/walk", r.translation().referencesPerWalk());
        }
        add("exits", "exits", r.exitCount());
        for (ExitTable.Row row : r.exits()) {
            add("exits." + row.reason().name(), "exits", row.samples());
            add("exit_cycles." + row.reason().name(), "cycles", row.cycles());
        }
        if (campaign.measuresTranslation()) {
            add("cycles", "cycles", r.cycles());
            for (Map.Entry<Work, Long> e : r.cyclesByWork().entrySet()) {
                add("cycles." + e.getKey().key(), "cycles", e.getValue());
            }
        }
        campaign.overhead(r).ifPresent(o -> add("overhead_over_native", "ratio", o));
        add("mmu_frames", "frames", r.mmuFrames());
        r.counters().forEach((name, value) -> add("counter." + name, "events", value));
        add("guest_digest", HEX, r.guestDigest());
        add("memory_digest", HEX, r.memoryDigest());
        if (r.check() != null) {
            add("translations_compared", "translations", r.check().compared());
            add("translations_stale", "translations", r.check().stale());
            add("translations_wrong", "translations", r.check().wrong());
        }
        if (r.swaps() != null) {
            addSwaps(campaign, r);
        }
    }

    private void addSwaps(CampaignResult campaign, TrialResult r) {
        SwapFigures s = r.swaps();
        add("vcpus", "vCPUs", trial.vcpus());
        add("swaps", "swaps", s.swaps());
        add("swap_cycles", "cycles", s.cycles());
        add("swap_cycles_median", "cycles", s.medianCycles());
        s.medianCyclesTo().forEach((design, cycles) -> add("swap_cycles_median." + design, "cycles", cycles));
        add("swap_dropped_frames", "frames", s.droppedFrames());
        add("swap_rebuilt_frames", "frames", s.rebuiltFrames());
        add("swap_drained_frames", "frames", s.drainedFrames());
        add("swap_violations", "violations", s.violations().size());
        add("dirty_harvests", "harvests", s.dirty().harvests());
        add("dirty_frames", "frames", s.dirty().frames());
        if (r.check() != null) {
            add("dirty_recorded", "frames", s.dirty().recorded());
            add("dirty_missed", "frames", s.dirty().missed());
            add("dirty_extra", "frames", s.dirty().extra());
        }
        add("host_swapped_out", "events", s.hostEvents().swappedOut());
        add("host_migrated", "events", s.hostEvents().migrated());
        add("host_merged", "events", s.hostEvents().merged());
        add("host_collapsed", "events", s.hostEvents().collapsed());
        add("host_split", "events", s.hostEvents().split());
        add("host_young", "events", s.hostEvents().young());
        campaign.undisturbed(r).ifPresent(u -> {
            add("operations_difference", "operations", r.operations() - u.operations());
            add("guest_digest_same", "boolean", r.guestDigest() == u.guestDigest() ? 1 : 0);
            add("memory_digest_same", "boolean", r.memoryDigest() == u.memoryDigest() ? 1 : 0);
        });
    }

    private void add(String metric, String unit, Number value) {
        list.add(new Measurement(plan.experiment().id(), trial.number(), trial.workload().name(), trial.designs(),
                plan.hardware().name(), trial.seed(), metric, unit, value));
    }

    /** The value as it is written into a file. */
    static String text(Measurement m) {
        return m.unit().equals(HEX) ? String.format("0x%016x", m.value().longValue()) : m.value().toString();
    }
}
