package org.penumbra.experiments.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Verification;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.report.RunJson;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.Experiment;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.run.ServiceRegistry.Named;

/**
 * What there is of one kind.
 *
 * @param entries for JSON
 * @param tables for people
 */
record Listing(List<Map<String, Object>> entries, List<ConsoleTable> tables) {

    /** All listings by name. */
    static Map<String, Listing> all(ServiceRegistry services) {
        Map<String, Listing> all = new LinkedHashMap<>();
        all.put("experiments", experiments());
        all.put("designs", designs(services));
        all.put("hardware", hardware(services));
        all.put("workloads", workloads(services));
        all.put("paging", pagingModes());
        all.put("tracepoints", tracePoints());
        return all;
    }

    /** The tables, one under the other. */
    List<String> lines(UnaryOperator<String> emphasis) {
        List<String> lines = new ArrayList<>();
        for (ConsoleTable table : tables) {
            if (!lines.isEmpty()) {
                lines.add("");
            }
            lines.addAll(table.lines(emphasis));
        }
        return lines;
    }

    private static Listing experiments() {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = new ConsoleTable("ll", "Experiment", "Description");
        for (Experiment e : Experiment.ALL) {
            entries.add(RunJson.object("name", e.id(), "description", e.description(), "workloads", e.workloads(), "designs", e.designs()));
            table.row(e.id(), e.description());
        }
        return new Listing(entries, List.of(table));
    }

    private static Listing designs(ServiceRegistry services) {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable designs = new ConsoleTable("lll", "Design", "Bundle", "Description");
        for (Designs.Offer o : new Designs(services).offers()) {
            String bundle = o.mmu() == null ? "" : o.mmu().bundle();
            entries.add(RunJson.object("name", o.name(), "description", o.description(), "bundle", bundle, "settings",
                    o.mmu() == null ? List.of() : o.mmu().service().settings().stream().map(s -> RunJson.object("key", s.key(), "default",
                            s.defaultValue(), "choices", s.choices(), "description", s.description())).toList()));
            designs.row(o.name(), bundle.isEmpty() ? Figures.NONE : bundle, o.description());
        }
        ConsoleTable settings = new ConsoleTable("llll", "Setting", "Default", "Choices", "Description");
        for (Named<MmuFactory> mmu : services.mmus()) {
            for (MmuFactory.Setting s : mmu.service().settings()) {
                settings.row(s.key(), s.defaultValue(), s.choices().isEmpty() ? Figures.NONE : String.join(", ", s.choices()),
                        s.description());
            }
        }
        return new Listing(entries, settings.isEmpty() ? List.of(designs) : List.of(designs, settings));
    }

    static Listing hardware(ServiceRegistry services) {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = ProcessorSummary.table();
        for (CostProfile p : services.costProfiles().map(CostProfiles::all).orElse(List.of())) {
            ProcessorSummary summary = new ProcessorSummary(p);
            entries.add(summary.entry());
            summary.addTo(table);
        }
        return new Listing(entries, List.of(table));
    }

    private static Listing workloads(ServiceRegistry services) {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = new ConsoleTable("lrl", "Workload", "Operations", "Description");
        for (Named<Workload> w : services.workloads()) {
            long operations = w.service().expectedOperations();
            entries.add(RunJson.object("name", w.name(), "description", w.service().description(), "expected_operations", operations, "input",
                    w.service().inputIdentity()));
            table.row(w.name(), operations > 0 ? Figures.count(operations) : Figures.NONE, w.service().description());
        }
        return new Listing(entries, List.of(table));
    }

    /** Verifications, with the numbers of vectors that they have on {@code hardware}. */
    static Listing verifications(ServiceRegistry services, CostProfile hardware) {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = new ConsoleTable("llrl", "Verification", "Mode", "Vectors", "Description");
        for (Named<Verification> v : services.verifications()) {
            Map<String, Object> vectors = new LinkedHashMap<>();
            for (PagingMode mode : PagingMode.values()) {
                long number = v.service().vectors(mode, (int) hardware.figure("cpu.maxphyaddr"));
                vectors.put(mode.label(), number);
                table.row(v.name(), mode.label(), Figures.count(number), v.service().description());
            }
            entries.add(RunJson.object("name", v.name(), "description", v.service().description(), "hardware", hardware.name(),
                    "vectors", vectors));
        }
        ConsoleTable checks = new ConsoleTable("ll", "Check of a design", "Description");
        for (Named<DesignCheck> c : services.checks()) {
            entries.add(RunJson.object("name", c.name(), "description", c.service().description(), "only", c.service().names()));
            checks.row(c.name(), c.service().description());
        }
        return new Listing(entries, checks.isEmpty() ? List.of(table) : List.of(table, checks));
    }

    private static Listing tracePoints() {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = new ConsoleTable("llll", "Trace point", "In Linux", "Fields", "When");
        for (TracePoint p : TracePoint.values()) {
            entries.add(RunJson.object("name", p.label(), "source", p.source(), "fields", p.fields(), "description", p.meaning()));
            table.row(p.label(), p.source(), p.fields().isEmpty() ? Figures.NONE : String.join(", ", p.fields()), p.meaning());
        }
        return new Listing(entries, List.of(table));
    }

    private static Listing pagingModes() {
        List<Map<String, Object>> entries = new ArrayList<>();
        ConsoleTable table = new ConsoleTable("lrl", "Paging", "Guest memory", "Description");
        for (PagingMode mode : PagingMode.values()) {
            long most = MiniatureGuest.mostMemory(mode);
            entries.add(RunJson.object("name", mode.label(), "description", describe(mode), "most_memory_bytes", most));
            table.row(mode.label(), Figures.bytes(most), describe(mode));
        }
        return new Listing(entries, List.of(table));
    }

    private static String describe(PagingMode mode) {
        switch (mode) {
            case NONE:
                return "no translation: one process that maps memory and uses it";
            case BITS_32:
                return "2 levels of 4-byte entries, pages of 4 KiB and 4 MiB, no execute-disable";
            case PAE:
                return "4 PDPTE registers, 2 levels of 8-byte entries, pages of 4 KiB and 2 MiB";
            default:
                return mode.levels() + " levels of 8-byte entries, pages of 4 KiB and 2 MiB, PCIDs";
        }
    }
}
