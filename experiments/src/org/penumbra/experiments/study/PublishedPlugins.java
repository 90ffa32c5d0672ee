package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.walk.PageSize;
import org.penumbra.experiments.walk.WalkPart;
import org.penumbra.experiments.walk.WalkRequest;
import org.penumbra.experiments.walk.WalkRun;

/**
 * Designs that plugins bring, beside what is published: Gandhi, Hill and Swift, "Agile Paging" (ISCA 2016), and tables that are flattened or direct (Park
 * and others, ASPLOS 2022; direct memory translation). Guests go through their memory in rounds, of which one is measured when all is mapped, and change
 * after each 64 pages no entry of their tables, some, or a table meanwhile. Whether a claim came out is a column; a disagreement is no error.
 */
final class PublishedPlugins implements Study {
    private static final String AGILE = "agile";
    private static final String FLATTENED = "flattened";
    private static final long MEMORY = 256L << 20;
    private static final List<String> CACHES = List.of("paging-structure-cache.pde", "paging-structure-cache.pdpte", "paging-structure-cache.pml4e",
            "ept-paging-structure-cache.pde", "ept-paging-structure-cache.pdpte", "ept-paging-structure-cache.pml4e", "nested-tlb");
    /** References of direct tables under virtualisation, natively, and under nested virtualisation. */
    private static final String DIRECT = "direct tables: 2 references under virtualisation (1 natively, 3 nested)";
    private static final double BETTER = 0.12;
    private static final double NEAR_NATIVE = 0.04;

    /** 64 MiB, more than any TLB holds. */
    private static final int PAGES = 16384;

    /**
     * A guest.
     *
     * @param remapped pages that are mapped anew after each 64 that are written
     * @param beside their tables stay
     */
    private record Program(String name, int remapped, boolean beside) {}

    private static final List<Program> PROGRAMS = List.of(
            new Program("at rest", 0, false),
            new Program("1 entry", 1, true),
            new Program("8 entries", 8, true),
            new Program("64 entries", RoundsGuest.BATCH, true),
            new Program("1 table", 1, false));

    /** One round. */
    private record Round(long cycles, long walks, double references, long exits) {}

    @Override
    public String id() {
        return "published-plugins";
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        List<String> offered = new Designs(services).offers().stream().map(Designs.Offer::name).toList();
        List<String> plugins = List.of(AGILE, FLATTENED).stream().filter(offered::contains).toList();
        if (plugins.isEmpty()) {
            throw new RefusedException("neither 'agile' nor 'flattened' is in the container; build one under examples and add --plugins DIR");
        }
        List<String> names = new ArrayList<>(List.of(Design.NATIVE, "shadow", "ept"));
        names.addAll(plugins);
        CostProfile bare = bare(services, hardware);
        StudyResult.Table table = new StudyResult.Table("rounds", "lllrrrrr", "Caches of walks", "Guest", "Design", "Cycles", "Over native", "Walks",
                "Refs/walk", "Exits");
        StudyResult.Table claims = new StudyResult.Table("claims", "llll", "Came out", "Mark", "Measured", "Published");
        Map<String, Round> rounds = new LinkedHashMap<>();
        for (Program p : PROGRAMS) {
            for (CostProfile profile : List.of(hardware, bare)) {
                rounds(services, profile, profile == bare ? "none" : "all", p, names, rounds, table);
            }
        }
        if (plugins.contains(AGILE)) {
            agile(services, hardware, rounds, claims);
        }
        if (plugins.contains(FLATTENED)) {
            long cold = cold(services, hardware, FLATTENED);
            claims.row(DirtyLogs.yes(cold == 2), "exact", "flattened second dimension: " + cold + ", as the guest's own tables are walked", DIRECT);
        }
        return new StudyResult(List.of(table, claims), List.of());
    }

    /** {@code hardware} without the caches that spare a walk references. */
    private static CostProfile bare(ServiceRegistry services, CostProfile hardware) {
        CostProfiles profiles = services.costProfiles().orElseThrow(() -> new MachineException("the processor models have gone"));
        Map<String, Long> off = new TreeMap<>();
        CACHES.forEach(c -> off.put(c + ".entries", 0L));
        return profiles.with(hardware, off);
    }

    private static void rounds(ServiceRegistry services, CostProfile profile, String caches, Program p, List<String> names, Map<String, Round> rounds,
            StudyResult.Table table) {
        for (Design d : new Designs(services).select(names, Map.of(), "--design")) {
            Round r = round(services, profile, p, d);
            rounds.put(key(caches, p, d.name()), r);
            double bare = rounds.get(key(caches, p, Design.NATIVE)).cycles;
            table.row(caches, p.name, d.name(), r.cycles, r.cycles / bare, r.walks, r.references, r.exits);
        }
    }

    private static String key(String caches, Program p, String design) {
        return caches + " " + p.name + " " + design;
    }

    private static Round round(ServiceRegistry services, CostProfile profile, Program p, Design d) {
        MachineFactory factory = services.machineFactory(d.machineKind()).orElseThrow(
                () -> new MachineException("no machine of kind '" + d.machineKind() + "' is left in the container"));
        RoundsGuest program = new RoundsGuest(PAGES, false, p.remapped, p.beside);
        MachineConfig config = new MachineConfig(MEMORY, d.hostPageLevel(), profile, d.mmu(), d.changedSettings(), false);
        try (Machine machine = factory.create(config, program.guest())) {
            program.round(machine);
            program.round(machine);
            TranslationStatistics before = machine.translation();
            long exits = exits(machine);
            long cycles = program.round(machine);
            TranslationStatistics after = machine.translation();
            long completed = after.completedWalks() - before.completedWalks();
            long references = after.completedReferences() - before.completedReferences();
            return new Round(cycles, after.walks() - before.walks(), (double) references / completed, exits(machine) - exits);
        }
    }

    private static long exits(Machine machine) {
        return machine.exits().rows().stream().mapToLong(r -> r.samples()).sum();
    }

    private static void agile(ServiceRegistry services, CostProfile hardware, Map<String, Round> rounds, StudyResult.Table claims) {
        long cold = cold(services, hardware, AGILE);
        claims.row(DirtyLogs.yes(cold == 4), "exact", "all shadowed: " + cold + " references", "a walk that never switches has 4 references");
        for (Program p : PROGRAMS) {
            Round mine = rounds.get(key("all", p, AGILE));
            long best = Math.min(rounds.get(key("all", p, "shadow")).cycles, rounds.get(key("all", p, "ept")).cycles);
            double better = (double) best / mine.cycles - 1;
            claims.row(DirtyLogs.yes(better > BETTER), "abs", p.name + ": " + percent(better), "more than 12 % better than the better of both");
            double slower = (double) mine.cycles / rounds.get(key("all", p, Design.NATIVE)).cycles - 1;
            claims.row(DirtyLogs.yes(slower <= NEAR_NATIVE), "abs", p.name + ": " + percent(slower), "within 4 % of native");
            double references = rounds.get(key("none", p, AGILE)).references;
            claims.row(DirtyLogs.yes(references >= 4 && references <= 5), "sec", String.format("%s: %.2f without caches", p.name, references),
                    "4 to 5 references a miss");
        }
    }

    private static String percent(double share) {
        return String.format("%+.1f %%", 100 * share);
    }

    private static long cold(ServiceRegistry services, CostProfile hardware, String name) {
        Design design = new Designs(services).select(List.of(name), Map.of(), "--design").get(0);
        WalkRequest request = new WalkRequest(WalkDimensions.GVA, PagingMode.FOUR_LEVEL, PageSize.SMALL, Access.USER | Access.READ, design, hardware);
        WalkPart cold = new WalkRun(services, request).run().part(WalkPart.Kind.COLD).orElseThrow();
        return cold.countedGuest() + cold.countedHost();
    }
}
