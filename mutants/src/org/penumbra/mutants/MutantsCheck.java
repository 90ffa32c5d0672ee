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
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Nesting;
import org.penumbra.testkit.contract.ContractKit;
import org.penumbra.testkit.contract.Designs;
import org.penumbra.testkit.contract.Laboratory;
import org.penumbra.testkit.contract.Property;
import org.penumbra.testkit.contract.PropertyResult;
import org.penumbra.testkit.contract.Subject;

/**
 * Runs the contract test kit against each mutant until a property finds it, without the design's own audit. Before that the mutant has to
 * pass {@link FunctionalTests}; and the design without the bug has to hold to the property under the same seed.
 */
@Component(property = DesignCheck.CHECK_NAME + "=mutants")
public final class MutantsCheck implements DesignCheck {
    private static final String FUNCTIONAL = "functional";
    /** The property that is to find a mutant is tried so many times as often as others: which seed finds it first is chance. */
    private static final int OWN_EFFORT = 4;
    private static final String PROGRAMS = "(|(workload.name=fork-heavy)(workload.name=random)(workload.name=random-thp))";

    private final Laboratory laboratory;
    private final CostProfiles profiles;
    private final Designs designs;
    private final Map<String, Workload> programs = new ConcurrentHashMap<>();

    @Activate
    public MutantsCheck(@Reference Laboratory laboratory, @Reference CostProfiles profiles, @Reference Designs designs) {
        this.laboratory = laboratory;
        this.profiles = profiles;
        this.designs = designs;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC, target = PROGRAMS)
    void bindProgram(Workload program, Map<String, Object> properties) {
        programs.put(String.valueOf(properties.get(Workload.WORKLOAD_NAME)), program);
    }

    void unbindProgram(Workload program, Map<String, Object> properties) {
        programs.remove(String.valueOf(properties.get(Workload.WORKLOAD_NAME)), program);
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
        if (programs.isEmpty()) {
            throw new IllegalArgumentException("there is no workload " + PROGRAMS + ", by which mutants are tried first");
        }
        FunctionalTests functional = new FunctionalTests(programs);
        for (Mutant m : Mutant.all()) {
            if (stop.getAsBoolean()) {
                return;
            }
            if (request.names().isEmpty() || request.names().contains(m.name())) {
                rows.accept(row(m, functional, request, stop));
            }
        }
    }

    private Row row(Mutant m, FunctionalTests functional, Request request, BooleanSupplier stop) {
        MmuFactory production = designs.named(m.design());
        Nesting nesting = request.nesting() == Nesting.NONE ? m.nesting() : request.nesting();
        String refusal = nesting.refusal(production.extension(), production.nests());
        if (!refusal.isEmpty()) {
            return new Row(m.name(), "", 0, 0, m.design() + ": " + refusal, true);
        }
        Subject ours = new Subject(m.design(), production, Map.of(), laboratory, Subject.models(profiles)).nested(nesting);
        Subject mutated = new Subject(m.name(), new MutantLoader(m, production).factory(), Map.of(), laboratory, Subject.models(profiles))
                .nested(nesting);
        String apart = functional.apart(ours, mutated, m.except());
        if (!apart.isEmpty()) {
            return new Row(m.name(), FUNCTIONAL, 1, 0, apart, false);
        }
        int runs = 0;
        for (Property p : likelyFirst(m)) {
            int planned = p.configurations(mutated) * request.effort() * (p.name().equals(m.property()) ? OWN_EFFORT : 1);
            PropertyResult result = ContractKit.run(p, mutated.unaudited(), request.seed(), planned, () -> { }, stop);
            runs += result.runs();
            if (!result.held()) {
                String finding = result.configuration() + ": " + result.reason();
                PropertyResult same = ContractKit.run(p, ours, result.seed(), 1, () -> { }, stop);
                return same.held() ? new Row(m.name(), p.name(), runs, result.seed(), finding, true)
                        : new Row(m.name(), p.name(), runs, result.seed(), "found in " + m.design() + " itself: " + same.reason(), false);
            }
        }
        return new Row(m.name(), "", runs, 0, "survived: " + m.defect(), false);
    }

    private static List<Property> likelyFirst(Mutant m) {
        List<Property> all = new ArrayList<>(new ContractKit().properties());
        all.sort((a, b) -> Boolean.compare(b.name().equals(m.property()), a.name().equals(m.property())));
        return all;
    }
}
