package org.penumbra.testkit.contract;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.mmu.MmuFactory;

/** The designs that are in the container, by name: for checks of designs. Any thread. */
@Component(service = Designs.class)
public final class Designs {
    private static final String SERVICE_ID = "service.id";

    private record Named(String name, MmuFactory design) {}

    /** By service: one factory can be there under several names. */
    private final Map<Object, Named> services = new ConcurrentHashMap<>();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindDesign(MmuFactory design, Map<String, Object> properties) {
        services.put(properties.get(SERVICE_ID), new Named(String.valueOf(properties.get(MmuFactory.MMU_NAME)), design));
    }

    void unbindDesign(MmuFactory design, Map<String, Object> properties) {
        services.remove(properties.get(SERVICE_ID));
    }

    /**
     * The design {@code name}, as long as its bundle is there.
     *
     * @throws IllegalArgumentException if there is none
     */
    public MmuFactory named(String name) {
        return services.values().stream().filter(d -> d.name.equals(name)).map(Named::design).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no bundle offers the design '" + name + "'"));
    }
}
