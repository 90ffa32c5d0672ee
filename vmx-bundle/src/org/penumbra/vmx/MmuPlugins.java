package org.penumbra.vmx;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.MmuFactory;

/** The designs that are there now, by service. */
@Component(service = MmuPlugins.class)
public final class MmuPlugins {
    private final Map<ServiceReference<MmuFactory>, MmuPlugin> plugins = new ConcurrentHashMap<>();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindFactory(MmuFactory factory, ServiceReference<MmuFactory> reference) {
        Bundle bundle = reference.getBundle();
        String name = String.valueOf(reference.getProperty(MmuFactory.MMU_NAME));
        plugins.put(reference, new MmuPlugin(name, factory, bundle.getSymbolicName() + " " + bundle.getVersion()));
    }

    void unbindFactory(ServiceReference<MmuFactory> reference) {
        plugins.remove(reference);
    }

    /** The plugin for {@code name}; the service with the highest ranking if several have it. */
    MmuPlugin find(String name) {
        return plugins.entrySet().stream()
                .filter(e -> e.getValue().name().equals(name))
                .max(Map.Entry.comparingByKey())
                .map(Map.Entry::getValue)
                .orElseThrow(() -> new MachineException("no MMU design is named '" + name + "'; there are: "
                        + plugins.values().stream().map(MmuPlugin::name).sorted().distinct().collect(Collectors.joining(", "))));
    }
}
