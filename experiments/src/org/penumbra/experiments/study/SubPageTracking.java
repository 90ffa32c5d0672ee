package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.ServiceRegistry;

/**
 * What it costs to see the writes to 128 bytes of each page, for a guest that writes to all of the page: by whole pages every write exits, by sub-page
 * write permissions only those that somebody wants to see.
 */
final class SubPageTracking implements Study {
    static final int PAGES = 256;
    static final int SUB_PAGES = 32;
    private static final int TRACKED = 128;
    private static final long MEMORY = 64L << 20;

    @Override
    public String id() {
        return "sub-page-tracking";
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        StudyResult.Table table = new StudyResult.Table("trials", "lrrrrrrr", "Design", "Writes", "Wanted", "Seen", "Exits", "First exits", "SPPT misses",
                "Guest");
        List<String> violations = new ArrayList<>();
        for (String name : List.of("shadow", "ept", "ept:sub-page-writes=on", "npt")) {
            Design design = new Designs(services).select(List.of(name), Map.of(), "--design").get(0);
            trial(services, hardware, design, table, violations);
        }
        return new StudyResult(List.of(table), violations);
    }

    private static void trial(ServiceRegistry services, CostProfile hardware, Design design, StudyResult.Table table, List<String> violations) {
        MachineFactory factory = services.machineFactory(design.machineKind()).orElseThrow(
                () -> new MachineException("no machine of kind '" + design.machineKind() + "' is left in the container"));
        RoundsGuest program = new RoundsGuest(PAGES, SUB_PAGES);
        MachineConfig config = new MachineConfig(MEMORY, design.hostPageLevel(), hardware, design.mmu(), design.changedSettings(), true);
        try (Machine machine = factory.create(config, program.guest())) {
            program.round(machine);
            machine.checker().takeWritten(gfn -> { });
            long before = program.round(machine);
            List<Long> pages = new ArrayList<>();
            machine.checker().takeWritten(pages::add);
            if (pages.size() != PAGES) {
                throw new MachineException("the guest wrote to " + pages.size() + " frames in a round, and has " + PAGES + " pages");
            }
            AtomicLong seen = new AtomicLong();
            pages.forEach(gfn -> machine.writeTracking().trackBytes(gfn << 12, TRACKED, (gpa, bytes) -> seen.incrementAndGet()));
            long atFirst = exits(machine);
            program.round(machine);
            long exits = exits(machine);
            seen.set(0);
            double slowdown = (double) program.round(machine) / before;
            table.row(design.name(), (long) PAGES * SUB_PAGES, (long) PAGES, seen.get(), exits(machine) - exits, exits - atFirst,
                    misses(machine), slowdown);
            if (seen.get() != PAGES) {
                violations.add(design.name() + ": of " + PAGES + " writes to what is tracked " + seen + " were seen");
            }
            if (machine.checker().wrong() > 0) {
                throw new MachineException(design.name() + ": " + machine.checker().complaints().get(0));
            }
        }
    }

    private static long exits(Machine machine) {
        return machine.exits().rows().stream().mapToLong(r -> r.samples()).sum();
    }

    private static long misses(Machine machine) {
        return machine.exits().rows().stream().filter(r -> r.reason() == ExitReason.SPP_EVENT).mapToLong(r -> r.samples()).sum();
    }
}
