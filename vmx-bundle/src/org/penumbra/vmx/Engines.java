package org.penumbra.vmx;

import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.cpu.EngineFactory;

/** The execution engines that are there now. */
@Component(service = Engines.class)
public final class Engines extends Plugins<EngineFactory> {
    private final MachineRegistry machines;

    @Activate
    public Engines(@Reference MachineRegistry machines) {
        super("execution engine");
        this.machines = machines;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindFactory(EngineFactory factory, ServiceReference<EngineFactory> reference) {
        Plugin<EngineFactory> plugin = add(factory, reference, EngineFactory.ENGINE_NAME);
        machines.each(m -> m.swapper().engines().arrived(plugin.name()));
    }

    /** Returns when no machine uses the engine any more. */
    void unbindFactory(ServiceReference<EngineFactory> reference) {
        remove(reference);
        machines.each(m -> m.swapper().engines().gone(reference));
    }
}
