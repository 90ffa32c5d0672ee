package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.experiments.run.Campaign;
import org.penumbra.experiments.run.CampaignListener;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.KernelRequest;
import org.penumbra.experiments.run.Planner;
import org.penumbra.experiments.run.RunRequest;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.run.SwapRequest;
import org.penumbra.experiments.run.TrialResult;

/**
 * Shadow paging against hardware-assisted paging on every processor model, with small and large pages of host and guest, beside what is
 * published: VMware, "Performance Evaluation of Intel EPT Hardware Assist" (2009) and "Performance Evaluation of AMD RVI Hardware Assist"
 * (2008). A disagreement is reported and is no error.
 */
final class PublishedOrders implements Study {
    private static final long MEMORY = 256L << 20;
    /** 64 MiB, more than any TLB holds. */
    private static final int PAGES = 16384;
    /** Programs that change their tables all the time. */
    private static final List<String> CHANGING = List.of("fork-heavy", "mmap-churn", "table-storm");
    /** A program that misses the TLB, too, but is over when it has touched most of its memory for the first time. */
    private static final String TOUCHING = "random";
    /** A program that goes through its memory again and again, page by page, when everything is mapped; and the same in large pages. */
    private static final String MISSING = "page-by-page";
    private static final String MISSING_LARGE = "page-by-page-thp";

    @Override
    public String id() {
        return "published-orders";
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        StudyResult.Table cells = new StudyResult.Table("overheads", "llrrrrrr", "Processor", "Workload", "Native Mcycles", "Shadow", "Shadow 2m", "EPT/NPT",
                "EPT/NPT 2m", "Shadow / EPT");
        StudyResult.Table orders = new StudyResult.Table("orders", "lll", "Came out", "Processor", "Published");
        for (CostProfile p : services.costProfiles().map(CostProfiles::all).orElse(List.of())) {
            processor(services, p.name(), cells, orders);
        }
        return new StudyResult(List.of(cells, orders), List.of());
    }

    private static void processor(ServiceRegistry services, String processor, StudyResult.Table cells, StudyResult.Table orders) {
        String hardwareAssisted = processor.startsWith("zen") ? "npt" : "ept";
        List<String> workloads = new ArrayList<>(CHANGING);
        workloads.add(TOUCHING);
        workloads.add(MISSING);
        workloads.add(MISSING_LARGE);
        Map<String, Long> cycles = cycles(services, processor, hardwareAssisted);
        steady(services, processor, hardwareAssisted, cycles);
        for (String w : workloads) {
            double bare = cycles.get(w + " native");
            double shadow = cycles.get(w + " shadow");
            double assisted = cycles.get(w + " " + hardwareAssisted);
            cells.row(processor, w, bare / 1e6, shadow / bare, cycles.get(w + " shadow-2m") / bare, assisted / bare,
                    cycles.get(w + " " + hardwareAssisted + "-2m") / bare, shadow / assisted);
        }
        for (String w : CHANGING) {
            order(orders, processor, cycles.get(w + " shadow") > cycles.get(w + " " + hardwareAssisted),
                    w + ": hardware assistance wins where tables change");
        }
        for (String w : List.of(TOUCHING, MISSING)) {
            order(orders, processor, cycles.get(w + " shadow") < cycles.get(w + " " + hardwareAssisted),
                    w + ": it loses where programs " + (w.equals(TOUCHING) ? "miss the TLB, first touches included" : "only miss the TLB"));
        }
        double small = over(cycles, MISSING, hardwareAssisted);
        double large = over(cycles, MISSING_LARGE, hardwareAssisted + "-2m");
        order(orders, processor, large - 1 < (small - 1) / 2,
                String.format("%s: large pages of guest and host win it back: %.2f to %.2f times native", MISSING_LARGE, small, large));
    }

    /** Adds the simulated cycles of a round when two have mapped everything. */
    private static void steady(ServiceRegistry services, String processor, String assisted, Map<String, Long> cycles) {
        CostProfile profile = new Planner(services, file -> null).hardware(processor).profile();
        for (Design d : new Designs(services).select(List.of("native", "shadow", "shadow-2m", assisted, assisted + "-2m"), Map.of(), "--design")) {
            MachineFactory factory = services.machineFactory(d.machineKind()).orElseThrow(
                    () -> new MachineException("no machine of kind '" + d.machineKind() + "' is left in the container"));
            for (String workload : List.of(MISSING, MISSING_LARGE)) {
                RoundsGuest program = new RoundsGuest(PAGES, workload.equals(MISSING_LARGE));
                MachineConfig config = new MachineConfig(MEMORY, d.hostPageLevel(), profile, d.mmu(), d.changedSettings(), false);
                try (Machine machine = factory.create(config, program.guest())) {
                    program.round(machine);
                    program.round(machine);
                    cycles.put(workload + " " + d.name(), program.round(machine));
                }
            }
        }
    }

    private static double over(Map<String, Long> cycles, String workload, String design) {
        return (double) cycles.get(workload + " " + design) / cycles.get(workload + " native");
    }

    private static void order(StudyResult.Table orders, String processor, boolean cameOut, String published) {
        orders.row(DirtyLogs.yes(cameOut), processor, published);
    }

    /** Simulated cycles by workload and design. */
    private static Map<String, Long> cycles(ServiceRegistry services, String processor, String assisted) {
        List<String> workloads = new ArrayList<>(CHANGING);
        workloads.add(TOUCHING);
        RunRequest request = new RunRequest("shadow-vs-ept", workloads, List.of(), KernelRequest.NONE, List.of("native", "shadow", "shadow-2m", assisted, assisted + "-2m"),
                processor, Map.of(), MEMORY, "4level", 1, 1, Map.of(), false, List.of(), SwapRequest.DEFAULT, Set.of());
        CampaignResult result = new Campaign(services, new Planner(services, file -> null).plan(request)).run(new CampaignListener() { }, () -> false);
        Map<String, Long> cycles = new HashMap<>();
        for (TrialResult r : result.finished()) {
            cycles.put(r.trial().workload().name() + " " + r.trial().designs(), r.cycles());
        }
        result.failures().forEach(f -> {
            throw new MachineException(f.trial().title() + ": " + f.message());
        });
        return cycles;
    }
}
