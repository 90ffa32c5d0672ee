package org.penumbra.vmx;

import java.nio.file.Path;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.interrupt.InterruptsFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.observe.TranslationCheckerFactory;
import org.penumbra.vmx.memory.HostMemory;
import org.penumbra.vmx.snapshot.SnapshotReader;

/** Builds virtual machines. */
@Component(property = MachineFactory.MACHINE_KIND + "=" + MachineFactory.VMX)
public final class VmxMachineFactory implements MachineFactory {
    private final VirtualMachine.Parts parts;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile TranslationCheckerFactory checkers;

    @Activate
    public VmxMachineFactory(
            @Reference ProcessorFactory processors,
            @Reference IoPortsFactory ports,
            @Reference InterruptsFactory interrupts,
            @Reference ExitDispatch dispatch,
            @Reference MmuPlugins designs,
            @Reference Engines engines,
            @Reference MachineRegistry registry) {
        this.parts = new VirtualMachine.Parts(processors, ports, interrupts, dispatch, designs, engines, registry);
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        return create(config, guest, null);
    }

    @Override
    public Machine restore(MachineConfig config, GuestBoot guest, Path file) {
        try (SnapshotReader from = new SnapshotReader(file)) {
            MachineImage.require(from, config, guest.identity());
            return create(config, guest, from);
        }
    }

    private Machine create(MachineConfig config, GuestBoot guest, SnapshotReader from) {
        Settings.of(parts.designs().find(config.mmu()), config.settings());
        HostMemory memory = new HostMemory(config.memoryBytes(), config.hostPageLevel(), config.check());
        TranslationChecker checker = config.check() ? checker(config, memory) : null;
        return new VirtualMachine(config, guest, parts, memory, checker, from);
    }

    private TranslationChecker checker(MachineConfig config, HostMemory memory) {
        TranslationCheckerFactory factory = checkers;
        if (factory == null) {
            throw new MachineException("a checked run needs the bundle org.penumbra.testkit, which is not there");
        }
        int bits = (int) config.hardware().figure("cpu.maxphyaddr");
        return factory.create(config.vcpus(), bits, memory.physical(), memory::peek, memory::gpaOf);
    }
}
