package org.penumbra.testkit.contract;

import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Nesting;

/** The contract of MMUs, for any design that is in the container. */
@Component(property = DesignCheck.CHECK_NAME + "=contract")
public final class ContractCheck implements DesignCheck {
    private final Laboratory laboratory;
    private final CostProfiles profiles;
    private final Designs designs;

    @Activate
    public ContractCheck(@Reference Laboratory laboratory, @Reference CostProfiles profiles, @Reference Designs designs) {
        this.laboratory = laboratory;
        this.profiles = profiles;
        this.designs = designs;
    }

    @Override
    public String description() {
        return "the contract of MMUs: random guests, host events, races, dirty logging, write tracking, slots, swaps";
    }

    @Override
    public boolean ofOneDesign() {
        return true;
    }

    @Override
    public List<String> names() {
        return new ContractKit().properties().stream().map(Property::name).toList();
    }

    @Override
    public void run(Request request, Consumer<Row> rows, BooleanSupplier stop) {
        Subject subject = new Subject(request.design(), designs.named(request.design()), request.settings(), laboratory, Subject.models(profiles))
                .nested(request.nesting());
        for (Property p : new ContractKit().properties()) {
            if (stop.getAsBoolean()) {
                return;
            }
            if (request.names().isEmpty() || request.names().contains(p.name())) {
                int planned = p.configurations(subject) * request.effort();
                PropertyResult result = ContractKit.run(p, subject, request.seed(), planned, () -> { }, stop);
                String finding = planned == 0 ? p.meaningless() : result.held() ? "" : result.configuration() + ": " + result.reason();
                String arrangement = request.nesting() == Nesting.NONE ? request.design() : request.nesting().label() + " on " + request.design();
                rows.accept(new Row(arrangement, p.name(), result.runs(), result.seed(), finding, result.held()));
            }
        }
    }
}
