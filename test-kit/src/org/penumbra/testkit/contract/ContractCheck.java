package org.penumbra.testkit.contract;

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
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.verify.DesignCheck;

/** The contract of MMUs, for any design that is in the container. */
@Component(property = DesignCheck.CHECK_NAME + "=contract")
public final class ContractCheck implements DesignCheck {
    private static final String SERVICE_ID = "service.id";

    private record Named(String name, MmuFactory design) {}

    private final Laboratory laboratory;
    private final CostProfiles profiles;
    /** By service: one factory can be there under several names. */
    private final Map<Object, Named> designs = new ConcurrentHashMap<>();

    @Activate
    public ContractCheck(@Reference Laboratory laboratory, @Reference CostProfiles profiles) {
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
        MmuFactory design = designs.values().stream().filter(d -> d.name.equals(request.design())).map(Named::design).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no bundle offers the design '" + request.design() + "'"));
        Subject subject = new Subject(request.design(), design, request.settings(), laboratory, Subject.models(profiles));
        for (Property p : new ContractKit().properties()) {
            if (stop.getAsBoolean()) {
                return;
            }
            if (request.names().isEmpty() || request.names().contains(p.name())) {
                int planned = p.configurations(subject) * request.effort();
                PropertyResult result = ContractKit.run(p, subject, request.seed(), planned, () -> { }, stop);
                String finding = result.held() ? "" : result.configuration() + ": " + result.reason();
                rows.accept(new Row(request.design(), p.name(), result.runs(), result.seed(), finding, result.held()));
            }
        }
    }
}
