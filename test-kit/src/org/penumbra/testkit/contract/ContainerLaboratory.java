package org.penumbra.testkit.contract;

import java.util.Dictionary;
import java.util.Hashtable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;

/** The laboratory of the container: designs are services, machines come from its hypervisor. */
@Component
public final class ContainerLaboratory implements Laboratory {
    private final BundleContext context;
    private final MachineFactory machines;

    @Activate
    public ContainerLaboratory(
            BundleContext context, @Reference(target = "(" + MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX + ")") MachineFactory machines) {
        this.context = context;
        this.machines = machines;
    }

    @Override
    public Installed install(String name, MmuFactory design) {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(MmuFactory.MMU_NAME, name);
        ServiceRegistration<MmuFactory> service = context.registerService(MmuFactory.class, design, properties);
        return service::unregister;
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        return machines.create(config, guest);
    }
}
