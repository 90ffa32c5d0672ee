package org.penumbra.vmx;

import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.mmu.MmuFactory;

/** The MMU designs that are there now. */
@Component(service = MmuPlugins.class)
public final class MmuPlugins extends Plugins<MmuFactory> {
    private final MachineRegistry machines;

    @Activate
    public MmuPlugins(@Reference MachineRegistry machines) {
        super("MMU design");
        this.machines = machines;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindFactory(MmuFactory factory, ServiceReference<MmuFactory> reference) {
        Plugin<MmuFactory> plugin = add(factory, reference, MmuFactory.MMU_NAME);
        machines.each(m -> m.swapper().arrived(plugin.name()));
    }

    /** Returns when no machine uses the design any more. */
    void unbindFactory(ServiceReference<MmuFactory> reference) {
        remove(reference);
        machines.each(m -> m.swapper().gone(reference));
    }
}
