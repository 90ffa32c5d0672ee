package org.penumbra.mutants;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.testkit.contract.ContractKit;
import org.penumbra.testkit.contract.Laboratory;
import org.penumbra.testkit.contract.Property;
import org.penumbra.testkit.contract.PropertyResult;
import org.penumbra.testkit.contract.Subject;

/**
 * Runs the contract test kit against each mutant until a property finds it. Before that the mutant has to pass what tests of one vCPU's
 * function look at: a guest that runs to its end and comes to the same result as under the production design.
 */
@Component(property = DesignCheck.CHECK_NAME + "=mutants")
public final class MutantsCheck implements DesignCheck {
    private static final String SERVICE_ID = "service.id";

    private record Named(String name, MmuFactory design) {}

    private static final long MEMORY = 64L << 20;
    private static final long BATCH = 1_000_000;
    private static final String FUNCTIONAL = "functional";

    private final Laboratory laboratory;
    private final CostProfiles profiles;
    /** By service: one factory can be there under several names. */
    private final Map<Object, Named> designs = new ConcurrentHashMap<>();
    private volatile Workload guest;

    @Activate
    public MutantsCheck(@Reference Laboratory laboratory, @Reference CostProfiles profiles) {
        this.laboratory = laboratory;
        this.profiles = profiles;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindDesign(MmuFactory design, Map<String, Object> properties) {
        designs.put(properties.get(SERVICE_ID), new Named(String.valueOf(properties.get(MmuFactory.MMU_NAME)), design));
    }

    void unbindDesign(MmuFactory design, Map<String, Object> properties) {
        designs.remove(properties.get(SERVICE_ID));
    }

    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC, target = "(workload.name=fork-heavy)")
    void bindGuest(Workload workload) {
        guest = workload;
    }

    void unbindGuest(Workload workload) {
        if (guest == workload) {
            guest = null;
        }
    }

    @Override
    public String description() {
        return "designs with one historical bug each, which the contract's properties have to find";
    }

    @Override
    public boolean ofOneDesign() {
        return false;
    }

    @Override
    public List<String> names() {
        return Mutant.all().stream().map(Mutant::name).toList();
    }

    @Override
    public void run(Request request, Consumer<Row> rows, BooleanSupplier stop) {
        for (Mutant m : Mutant.all()) {
            if (stop.getAsBoolean()) {
                return;
            }
            if (request.names().isEmpty() || request.names().contains(m.name())) {
                rows.accept(row(m, request, stop));
            }
        }
    }

    private Row row(Mutant m, Request request, BooleanSupplier stop) {
        MmuFactory production = designs.values().stream().filter(d -> d.name.equals(m.design())).map(Named::design).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("mutant " + m.name() + " is one of the design '" + m.design() + "', which no bundle offers"));
        MmuFactory mutated = new MutantLoader(m, production).factory();
        String apart = functional(m, production, mutated);
        if (!apart.isEmpty()) {
            return new Row(m.name(), FUNCTIONAL, 1, 0, apart, false);
        }
        Subject subject = new Subject(m.name(), mutated, Map.of(), laboratory, Subject.models(profiles));
        int runs = 0;
        for (Property p : likelyFirst(m)) {
            PropertyResult result =
                    ContractKit.run(p, subject, request.seed(), p.configurations(subject) * request.effort(), () -> { }, stop);
            runs += result.runs();
            if (!result.held()) {
                return new Row(m.name(), p.name(), runs, result.seed(), result.configuration() + ": " + result.reason(), true);
            }
        }
        return new Row(m.name(), "", runs, 0, "survived: " + m.defect(), false);
    }

    private static List<Property> likelyFirst(Mutant m) {
        List<Property> all = new ArrayList<>(new ContractKit().properties());
        all.sort((a, b) -> Boolean.compare(b.name().equals(m.property()), a.name().equals(m.property())));
        return all;
    }

    /** How the guest of one vCPU fared differently under the mutant; empty if it did not. */
    private String functional(Mutant m, MmuFactory production, MmuFactory mutated) {
        Workload workload = guest;
        if (workload == null) {
            throw new IllegalArgumentException("there is no workload fork-heavy, by which mutants are tried first");
        }
        try {
            return digest(m.name(), mutated, workload) == digest(m.name(), production, workload) ? "" : "the guest came to another result";
        } catch (RuntimeException e) {
            return "the guest did not come to its end: " + e.getMessage();
        }
    }

    private long digest(String name, MmuFactory design, Workload workload) {
        String installed = "functional." + name;
        try (Laboratory.Installed there = laboratory.install(installed, design)) {
            MachineConfig config = new MachineConfig(MEMORY, 1, Subject.models(profiles).get(0), installed, Map.of(), false);
            try (Machine machine = laboratory.create(config, workload.prepare(1, PagingMode.FOUR_LEVEL))) {
                while (machine.run(BATCH)) {
                    // To its own end.
                }
                return machine.guestDigest() ^ machine.exitCode() + 31 * machine.operations();
            }
        }
    }
}
