package org.penumbra.vmx;

import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.observe.TranslationCheckerFactory;
import org.penumbra.vmx.memory.HostMemory;

/** Builds virtual machines. */
@Component(property = MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX)
public final class VmxMachineFactory implements MachineFactory {
    private final ProcessorFactory processors;
    private final IoPortsFactory ports;
    private final ExitDispatch dispatch;
    private final MmuPlugins plugins;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile TranslationCheckerFactory checkers;

    @Activate
    public VmxMachineFactory(
            @Reference ProcessorFactory processors,
            @Reference IoPortsFactory ports,
            @Reference ExitDispatch dispatch,
            @Reference MmuPlugins plugins) {
        this.processors = processors;
        this.ports = ports;
        this.dispatch = dispatch;
        this.plugins = plugins;
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        MmuPlugin plugin = plugins.find(config.mmu());
        HostMemory memory = new HostMemory(config.memoryBytes(), config.hostPageLevel());
        TranslationChecker checker = config.check() ? checker(config, memory) : null;
        return new VirtualMachine(config, plugin, guest, processors, memory, ports.create(), dispatch, checker);
    }

    private TranslationChecker checker(MachineConfig config, HostMemory memory) {
        TranslationCheckerFactory factory = checkers;
        if (factory == null) {
            throw new MachineException("a checked run needs the bundle org.penumbra.testkit, which is not there");
        }
        return factory.create(1, (int) config.hardware().figure("cpu.maxphyaddr"), memory.physical(), memory::peek);
    }
}
