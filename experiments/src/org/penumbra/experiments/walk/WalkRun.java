package org.penumbra.experiments.walk;

import static org.penumbra.experiments.walk.WalkPart.Kind.AGAIN;
import static org.penumbra.experiments.walk.WalkPart.Kind.COLD;
import static org.penumbra.experiments.walk.WalkPart.Kind.COLD_WITH_CACHES;
import static org.penumbra.experiments.walk.WalkPart.Kind.FIRST;
import static org.penumbra.experiments.walk.WalkPart.Kind.FIRST_OF_NEIGHBOUR;
import static org.penumbra.experiments.walk.WalkPart.Kind.GUEST_TABLES;
import static org.penumbra.experiments.walk.WalkPart.Kind.NEIGHBOUR;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener.Cache;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.Access;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.ServiceRegistry;
import org.penumbra.experiments.walk.WalkStep.Served;

/**
 * Makes the accesses of a request: on a processor whose paging-structure caches and nested TLB are left out, since they serve later
 * entries of the very walk that fills them, and on the processor as it is.
 */
public final class WalkRun {
    private final ServiceRegistry services;
    private final WalkRequest request;
    private final List<WalkPart> parts = new ArrayList<>();

    public WalkRun(ServiceRegistry services, WalkRequest request) {
        this.services = services;
        this.request = request;
    }

    /** @throws MachineException if a machine cannot be made, or cannot go on */
    public WalkResult run() {
        CostProfile without = withoutWalkCaches(request.hardware());
        try (Bench bench = new Bench(request.design(), without)) {
            bench.prepare(true);
            bench.access(COLD, request.gva());
        }
        try (Bench bench = new Bench(request.design(), request.hardware())) {
            bench.prepare(false);
            bench.access(COLD_WITH_CACHES, request.gva());
            bench.access(AGAIN, request.gva());
            bench.access(NEIGHBOUR, request.neighbour());
        }
        boolean twoDimensions = parts.stream().anyMatch(p -> p.hostReferences() > 0);
        if (!request.design().mmu().isEmpty() && !twoDimensions) {
            try (Bench bench = new Bench(new Design(Design.NATIVE, "", 1, List.of(), false, null), without)) {
                bench.access(GUEST_TABLES, request.gva());
            }
        }
        return new WalkResult(request, parts);
    }

    private CostProfile withoutWalkCaches(CostProfile hardware) {
        Map<String, Long> none = new TreeMap<>();
        for (CostProfile.Figure f : hardware.figures()) {
            if (f.key().matches("(ept-)?paging-structure-cache\\..*\\.entries|nested-tlb\\.entries")) {
                none.put(f.key(), 0L);
            }
        }
        return services.costProfiles().orElseThrow(() -> new MachineException("the processor models have gone")).with(hardware, none);
    }

    /** A machine with the guest in it. */
    private final class Bench implements AutoCloseable {
        private final WalkRecorder recorder = new WalkRecorder();
        private final WalkGuest guest = new WalkGuest(request, recorder);
        private final boolean virtual;
        private final Machine machine;

        Bench(Design design, CostProfile hardware) {
            MachineFactory factory = services.machineFactory(design.machineKind()).orElseThrow(
                    () -> new MachineException("no machine of kind '" + design.machineKind() + "' is left in the container"));
            virtual = !design.mmu().isEmpty();
            machine = factory.create(new MachineConfig(request.memoryBytes(), design.hostPageLevel(), hardware, design.mmu(),
                    design.changedSettings(), false), guest);
        }

        /** Has the MMU resolve both pages, and empties what the processor has cached. A machine without one is cold as it is. */
        void prepare(boolean show) {
            if (!virtual) {
                return;
            }
            access(FIRST, request.gva());
            access(FIRST_OF_NEIGHBOUR, request.neighbour());
            if (!show) {
                parts.remove(parts.size() - 1);
                parts.remove(parts.size() - 1);
            }
            guest.call();
            machine.run(1);
        }

        void access(WalkPart.Kind kind, long gva) {
            TranslationStatistics before = machine.translation();
            long cycles = machine.cycles().total();
            guest.access(gva);
            recorder.take();
            machine.run(1);
            TranslationStatistics after = machine.translation();
            List<WalkStep> steps = recorder.take();
            long hpa = firstLevel().lookup(gva, request.access());
            if (steps.isEmpty() && hpa != FirstLevelTlb.MISS) {
                // A hit there is no business of the processor's: engines look by themselves.
                steps = List.of(new Served(Cache.FIRST_LEVEL_TLB, gva, 0, hpa));
            }
            parts.add(new WalkPart(kind, gva, guest.gpa(gva), steps, after.guestReferences() - before.guestReferences(),
                    after.hostReferences() - before.hostReferences(), machine.cycles().total() - cycles));
        }

        private FirstLevelTlb firstLevel() {
            return Access.isFetch(request.access()) ? guest.processor().instructionTlb() : guest.processor().dataTlb();
        }

        @Override
        public void close() {
            machine.close();
        }
    }
}
