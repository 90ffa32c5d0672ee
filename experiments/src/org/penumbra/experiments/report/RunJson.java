package org.penumbra.experiments.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.experiment.Measurement;
import org.penumbra.experiments.run.Agreement;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Experiment;
import org.penumbra.experiments.run.Origin;
import org.penumbra.experiments.run.Plan;
import org.penumbra.experiments.run.RunRequest;
import org.penumbra.experiments.run.SelectedWorkload;
import org.penumbra.experiments.run.ServiceRegistry.BundleVersion;
import org.penumbra.experiments.run.Trial;
import org.penumbra.experiments.run.TrialResult;

/** {@code run.json}: everything that was chosen, by whom, and what it ran on. No wall time, so that a rerun compares equal. */
public final class RunJson {
    private RunJson() {}

    /** The document. */
    public static Map<String, Object> document(CampaignResult campaign, List<BundleVersion> bundles) {
        Plan plan = campaign.plan();
        Map<String, Object> run = new LinkedHashMap<>();
        run.put("experiment", plan.experiment().id());
        run.put("description", plan.experiment().description());
        run.put("settings", settings(plan));
        run.put("workloads", plan.workloads().stream().map(RunJson::workload).toList());
        run.put("designs", plan.designs().stream().map(d -> design(d, campaign)).toList());
        run.put("hardware", hardware(plan.hardware(), plan.hardwareSource()));
        run.put("trials", trials(campaign));
        run.put("interrupted", campaign.interrupted());
        run.put("disagreements", Agreement.violations(campaign.finished()));
        run.put("environment", environment());
        run.put("bundles", bundles.stream().map(b -> object("name", b.name(), "version", b.version())).toList());
        return run;
    }

    /** The document with the figures of each trial: what {@code run --json} prints. */
    public static Map<String, Object> withResults(CampaignResult campaign, List<BundleVersion> bundles) {
        Map<String, Object> run = document(campaign, bundles);
        List<Map<String, Object>> results = new ArrayList<>();
        for (TrialResult r : campaign.finished()) {
            Map<String, Object> metrics = new LinkedHashMap<>();
            for (Measurement m : Measurements.of(campaign, r)) {
                metrics.put(m.metric(), m.unit().equals(Measurements.HEX) ? Measurements.text(m) : m.value());
            }
            Map<String, Object> result = trial(r.trial());
            result.put("metrics", metrics);
            result.put("exits", r.exits().stream().map(e -> object("reason", e.reason().name(), "samples", e.samples(),
                    "cycles", e.cycles(), "min", e.min(), "max", e.max(), "average", e.average())).toList());
            if (r.check() != null) {
                result.put("complaints", r.check().complaints());
            }
            if (r.swaps() != null) {
                result.put("plugins", r.swaps().plugins());
                result.put("violations", r.swaps().violations());
            }
            results.add(result);
        }
        run.put("results", results);
        return run;
    }

    /** A processor model with every figure and its source. */
    public static Map<String, Object> hardware(CostProfile profile, String source) {
        return object("name", profile.name(), "description", profile.description(), "vendor", profile.vendor().label(), "year",
                profile.year(), "origin", source, "figures",
                profile.figures().stream().map(f -> object("key", f.key(), "value", f.value(), "unit", f.unit(), "source", f.source()))
                        .toList());
    }

    private static Map<String, Object> settings(Plan plan) {
        RunRequest r = plan.request();
        Origin byExperiment = Origin.EXPERIMENT;
        Map<String, Object> s = new LinkedHashMap<>();
        s.put("workloads", chosen(plan.workloads().stream().map(SelectedWorkload::name).toList(),
                r.given().contains("workload") || r.given().contains("trace") ? Origin.COMMAND_LINE : byExperiment));
        s.put("designs", chosen(plan.designs().stream().map(Design::name).toList(),
                r.given().contains("design") ? Origin.COMMAND_LINE : byExperiment));
        s.put("append", chosen(r.kernels().append(), r.origin("append")));
        s.put("modules", chosen(r.kernels().modules(), r.origin("module")));
        s.put("engine", chosen(r.kernels().engine(), r.origin("engine")));
        s.put("hardware", chosen(r.hardware(), r.origin("hardware")));
        s.put("figures", chosen(r.figures(), r.origin("figure")));
        s.put("memory_bytes", chosen(r.memoryBytes(), r.origin("memory")));
        s.put("paging", chosen(plan.paging().label(), r.origin("paging")));
        s.put("seed", chosen(r.seed(), r.origin("seed")));
        s.put("repetitions", chosen(r.repetitions(), r.origin("repetitions")));
        s.put("check", chosen(plan.check(), r.given().contains("check") ? Origin.COMMAND_LINE
                : plan.experiment().check() ? Origin.EXPERIMENT : Origin.DEFAULT));
        s.put("vcpus", chosen(plan.vcpus(), r.given().contains("vcpus") ? Origin.COMMAND_LINE : byExperiment));
        if (plan.experiment().kind() == Experiment.Kind.SWAPS) {
            s.put("every_operations", chosen(plan.swaps().every(), r.origin("every")));
            s.put("after_operations", chosen(plan.swaps().after(), r.origin("after")));
            s.put("host_events", chosen(plan.swaps().hostEvents(), r.origin("host-events")));
        }
        return s;
    }

    private static Map<String, Object> chosen(Object value, Origin origin) {
        return object("value", value, "origin", origin.label());
    }

    private static Map<String, Object> workload(SelectedWorkload w) {
        return object("name", w.name(), "description", w.workload().description(), "input", w.workload().inputIdentity());
    }

    private static Map<String, Object> design(Design d, CampaignResult campaign) {
        String bundle = campaign.finished().stream().filter(r -> r.trial().design().equals(d) && !r.trial().swapped())
                .map(TrialResult::mmuBundle).findFirst().orElse(swapped(d, campaign));
        return object("name", d.name(), "machine", d.machineKind(), "mmu", d.mmu(), "bundle", bundle, "host_page_bytes",
                d.hostPageBytes(), "settings", d.settings().stream()
                        .map(s -> object("key", s.key(), "value", s.value(), "origin", s.origin().label())).toList());
    }

    /** The bundle of a design that guests were swapped to, from "name (bundle)". */
    private static String swapped(Design d, CampaignResult campaign) {
        String begin = d.mmu() + " (";
        return campaign.finished().stream().filter(r -> r.swaps() != null).flatMap(r -> r.swaps().plugins().stream())
                .filter(p -> p.startsWith(begin)).map(p -> p.substring(begin.length(), p.length() - 1)).findFirst().orElse("");
    }

    private static List<Map<String, Object>> trials(CampaignResult campaign) {
        List<Map<String, Object>> trials = new ArrayList<>();
        for (Trial t : campaign.plan().trials()) {
            Map<String, Object> entry = trial(t);
            String failure = campaign.failures().stream().filter(f -> f.trial().equals(t)).map(f -> f.message()).findFirst().orElse(null);
            boolean finished = campaign.finished().stream().anyMatch(r -> r.trial().equals(t));
            entry.put("status", finished ? "finished" : failure != null ? "failed" : "not run");
            if (failure != null) {
                entry.put("failure", failure);
            }
            campaign.finished().stream().filter(r -> r.trial().equals(t) && !r.replacements().isEmpty())
                    .forEach(r -> entry.put("replacements", r.replacements()));
            trials.add(entry);
        }
        return trials;
    }

    private static Map<String, Object> trial(Trial t) {
        return object("trial", t.number(), "workload", t.workload().name(), "vcpus", t.vcpus(), "design", t.designs(),
                "seed", t.seed());
    }

    private static Map<String, Object> environment() {
        return object("java", System.getProperty("java.vm.name") + " " + Runtime.version(), "os",
                System.getProperty("os.name") + " " + System.getProperty("os.version"), "arch", System.getProperty("os.arch"), "cpus",
                Runtime.getRuntime().availableProcessors(), "max_heap_bytes", Runtime.getRuntime().maxMemory());
    }

    /** A JSON object of the keys and values in turn. */
    public static Map<String, Object> object(Object... keysAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            object.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return object;
    }
}
