package org.penumbra.experiments.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.Verification;
import org.penumbra.api.verify.VerificationGuest;

/** A verification on a machine: everything that was asked for is looked up at once, and refused or ready to run. */
public final class Verifier {
    /** Operations between two looks at progress and interruption. */
    private static final long BATCH = 1_000_000;

    private final VerifyRequest request;
    private final Design design;
    private final CostProfile hardware;
    private final MachineFactory machines;
    private final VerificationGuest guest;

    /** @throws RefusedException if the request names what is not there, or the design cannot run a guest in the mode */
    public Verifier(ServiceRegistry services, Function<Path, Workload> traces, VerifyRequest request) {
        this.request = request;
        Planner planner = new Planner(services, traces);
        Verification verification = verification(services, request.verification());
        PagingMode mode = PagingModes.named("--mode", request.mode());
        hardware = planner.hardware(request.hardware(), request.figures()).profile();
        PagingModes.require("--mode", mode, hardware, services.costProfiles().map(CostProfiles::all).orElse(List.of()));
        design = new Designs(services).select(List.of(request.mmu()), request.settings(), "--mmu").get(0);
        requireNesting(services, design, request.nesting());
        machines = services.machineFactory(design.machineKind()).orElseThrow(
                () -> new RefusedException("no machine of kind '" + design.machineKind() + "' is in the container"));
        Function<PagingState, String> objection = services.mmus().stream().filter(m -> m.name().equals(design.mmu()))
                .map(m -> objection(m.service())).findFirst().orElse(state -> "");
        guest = guest(verification, new VectorSelection(mode, (int) hardware.figure("cpu.maxphyaddr"), request.first(), request.most(),
                request.sample(), request.seed(), objection, request.nesting()));
        String refused = objection.apply(guest.bootState());
        if (!refused.isEmpty()) {
            throw new RefusedException(request.mmu() + ": " + refused);
        }
    }

    /**
     * Refuses {@code nesting} for a design that has no place for it.
     *
     * @throws RefusedException saying which design would do
     */
    public static void requireNesting(ServiceRegistry services, Design design, Nesting nesting) {
        if (nesting != Nesting.NONE && design.mmu().isEmpty()) {
            throw new RefusedException("--nested: without a hypervisor a guest is none either; choose a design with an MMU");
        }
        String refusal = nesting.refusal(design.extension(), design.nests());
        if (!refusal.isEmpty()) {
            throw new RefusedException("--nested: " + design.name() + ": " + refusal + "; "
                    + String.join(", ", services.mmus().stream()
                            .filter(m -> nesting.refusal(m.service().extension(), m.service().nests()).isEmpty()).map(ServiceRegistry.Named::name).toList())
                    + " would do");
        }
    }

    private static Function<PagingState, String> objection(MmuFactory mmu) {
        return mmu::objection;
    }

    private static VerificationGuest guest(Verification verification, VectorSelection selection) {
        try {
            return verification.guest(selection);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage());
        }
    }

    private static Verification verification(ServiceRegistry services, String name) {
        Set<String> names = Stream.concat(services.verifications().stream(), services.checks().stream())
                .map(ServiceRegistry.Named::name).collect(Collectors.toCollection(TreeSet::new));
        return services.verifications().stream().filter(v -> v.name().equals(name)).map(ServiceRegistry.Named::service).findFirst()
                .orElseThrow(() -> new RefusedException(names.isEmpty()
                        ? "there is no verification: the bundle org.penumbra.testkit is not in the container"
                        : Suggestions.unknown("verification", name, names)));
    }

    /** Vectors that will be run or skipped. */
    public long planned() {
        return guest.planned();
    }

    /**
     * Runs them.
     *
     * @param progress is told how many vectors were run or skipped
     * @param stop asked after each batch
     */
    public VerifyResult run(LongConsumer progress, BooleanSupplier stop) {
        MachineConfig config = new MachineConfig(guest.memoryBytes(), design.hostPageLevel(), hardware, design.mmu(),
                design.changedSettings(), false, 1, false, guest.engine(), MachineConfig.WATCHDOG_MILLIS);
        String bundle = "";
        String failure = "";
        boolean stopped = false;
        try (Machine machine = machines.create(config, guest)) {
            bundle = machine.mmuBundle();
            while (!stopped && machine.run(BATCH)) {
                progress.accept(guest.done());
                stopped = stop.getAsBoolean();
            }
        } catch (MachineException e) {
            failure = e.getMessage();
        }
        return new VerifyResult(request, design, bundle, hardware, guest.planned(), guest.report(), stopped, failure);
    }
}
