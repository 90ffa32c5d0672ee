package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.walk.PageSize;
import org.penumbra.experiments.walk.WalkPart;
import org.penumbra.experiments.walk.WalkRequest;
import org.penumbra.experiments.walk.WalkRun;

/**
 * References of a walk that no cache serves, by the levels of each dimension. A guest walk of n entries, each behind a host walk of m
 * entries, and the host walk for the page itself are (n + 1)(m + 1) − 1 references (Bhargava and others, "Accelerating Two-Dimensional Page
 * Walks for Virtualized Systems", ASPLOS 2008); one dimension has n.
 */
final class WalkDimensions implements Study {
    /** An address that 4-level paging has, with another index at each level. */
    static final long GVA = 0x7f12_3456_7000L;

    @Override
    public String id() {
        return "walk-dimensions";
    }

    private record Variant(String design, PagingMode mode, PageSize page, int hostLevels, int hostPageLevel) {
        int guestEntries() {
            return mode.levels() - (page == PageSize.LARGE ? 1 : 0);
        }

        int hostEntries() {
            return hostLevels == 0 ? 0 : hostLevels - (hostPageLevel - 1);
        }

        long expected() {
            return (guestEntries() + 1L) * (hostEntries() + 1) - 1;
        }
    }

    private static List<Variant> variants() {
        List<Variant> all = new ArrayList<>();
        for (PagingMode mode : List.of(PagingMode.FOUR_LEVEL, PagingMode.FIVE_LEVEL)) {
            for (PageSize page : List.of(PageSize.SMALL, PageSize.LARGE)) {
                all.add(new Variant("native", mode, page, 0, 1));
                all.add(new Variant("shadow", mode, PageSize.SMALL, 0, 1));
                for (String design : List.of("ept", "npt")) {
                    for (int levels = 4; levels <= 5; levels++) {
                        all.add(new Variant(design, mode, page, levels, 1));
                        all.add(new Variant(design + "-2m", mode, page, levels, 2));
                    }
                }
            }
        }
        return all.stream().distinct().toList();
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        CostProfile wide = wide(services, hardware);
        StudyResult.Table table = new StudyResult.Table("walks", "llrrlrrrrr", "Design", "Guest paging", "Guest page", "Host levels", "Processor",
                "Guest entries", "Host entries", "Expected", "Guest refs", "Host refs");
        List<String> violations = new ArrayList<>();
        for (Variant v : variants()) {
            boolean fiveLevels = v.mode() == PagingMode.FIVE_LEVEL || v.hostLevels() == 5;
            CostProfile profile = fiveLevels ? wide : hardware;
            String name = v.design() + (v.hostLevels() == 5 ? ":levels=5" : "");
            var design = new Designs(services).select(List.of(name), Map.of(), "--design").get(0);
            WalkRequest request = new WalkRequest(GVA, v.mode(), v.page(), Access.USER | Access.READ, design, profile);
            WalkPart cold = new WalkRun(services, request).run().part(WalkPart.Kind.COLD).orElseThrow();
            table.row(v.design(), v.mode().label(), v.page().label(), v.hostLevels() == 0 ? null : v.hostLevels(), profile.name(), v.guestEntries(), v.hostEntries(), v.expected(),
                    cold.countedGuest(), cold.countedHost());
            if (cold.countedGuest() + cold.countedHost() != v.expected()) {
                violations.add(String.format("%s, %s, %s: %d references, and %d are expected", name, v.mode().label(), v.page().label(),
                        cold.countedGuest() + cold.countedHost(), v.expected()));
            }
        }
        return new StudyResult(List.of(table), violations);
    }

    /** {@code hardware}, or the first model that has 5-level paging. */
    private static CostProfile wide(ServiceRegistry services, CostProfile hardware) {
        if (hardware.figure("cpu.linear-address-bits") >= 57) {
            return hardware;
        }
        return services.costProfiles().map(CostProfiles::all).orElse(List.of()).stream()
                .filter(p -> p.figure("cpu.linear-address-bits") >= 57).findFirst()
                .orElseThrow(() -> new MachineException("no processor model has 5-level paging"));
    }
}
