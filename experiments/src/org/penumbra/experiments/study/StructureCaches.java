package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.walk.PageSize;
import org.penumbra.experiments.walk.WalkPart;
import org.penumbra.experiments.walk.WalkRequest;
import org.penumbra.experiments.walk.WalkRun;

/**
 * What each cache of the walk takes from the 24 references of two times four levels: a processor with none of them, with one alone, and with
 * all but one. Measured are a walk with everything cold, in which a cache serves later entries of the very walk that fills it, and one for the
 * neighbouring page after it.
 */
final class StructureCaches implements Study {
    private static final int ALL_REFERENCES = 24;
    private static final List<String> CACHES = List.of(
            "paging-structure-cache.pml4e", "paging-structure-cache.pdpte", "paging-structure-cache.pde",
            "ept-paging-structure-cache.pml4e", "ept-paging-structure-cache.pdpte", "ept-paging-structure-cache.pde", "nested-tlb");

    @Override
    public String id() {
        return "paging-structure-caches";
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        CostProfiles profiles = services.costProfiles().orElseThrow(() -> new MachineException("the processor models have gone"));
        Map<String, List<String>> variants = new LinkedHashMap<>();
        variants.put("none", List.of());
        CACHES.forEach(c -> variants.put(c, List.of(c)));
        variants.put("all", CACHES);
        CACHES.forEach(c -> variants.put("all but " + c, CACHES.stream().filter(other -> !other.equals(c)).toList()));
        StudyResult.Table table = new StudyResult.Table("caches", "lrrrrr", "Caches", "Cold", "Removed", "Neighbour", "Its guest refs", "Removed there");
        Design design = new Designs(services).select(List.of("ept"), Map.of(), "--design").get(0);
        List<String> violations = new ArrayList<>();
        variants.forEach((name, kept) -> {
            Map<String, Long> off = new TreeMap<>();
            CACHES.stream().filter(c -> !kept.contains(c)).forEach(c -> off.put(c + ".entries", 0L));
            CostProfile profile = profiles.with(hardware, off);
            var result = new WalkRun(services, new WalkRequest(
                    WalkDimensions.GVA, PagingMode.FOUR_LEVEL, PageSize.SMALL, Access.USER | Access.READ, design, profile)).run();
            WalkPart cold = result.part(WalkPart.Kind.COLD_WITH_CACHES).orElseThrow();
            WalkPart next = result.part(WalkPart.Kind.NEIGHBOUR).orElseThrow();
            table.row(name, cold.references(), ALL_REFERENCES - cold.references(), next.references(), next.guestReferences(),
                    ALL_REFERENCES - next.references());
            if (kept.isEmpty() && (cold.references() != ALL_REFERENCES || next.references() != ALL_REFERENCES)) {
                violations.add("without caches " + cold.references() + " and " + next.references() + " references, and 24 are expected");
            }
        });
        return new StudyResult(List.of(table), violations);
    }
}
