package org.penumbra.hardware.machine;

import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongUnaryOperator;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.IoPortsFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.observe.TranslationCheckerFactory;

/** Builds machines without a hypervisor: the baseline that every overhead is measured against. */
@Component(property = MachineFactory.MACHINE_KIND + "=" + MachineFactory.BARE)
public final class BareMachineFactory implements MachineFactory {
    private final ProcessorFactory processors;
    private final IoPortsFactory devices;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile TranslationCheckerFactory checkers;

    private final Map<String, EngineFactory> engines = new ConcurrentHashMap<>();

    @Activate
    public BareMachineFactory(@Reference ProcessorFactory processors, @Reference IoPortsFactory devices) {
        this.processors = processors;
        this.devices = devices;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindEngine(EngineFactory factory, Map<String, Object> properties) {
        engines.put(String.valueOf(properties.get(EngineFactory.ENGINE_NAME)), factory);
    }

    void unbindEngine(EngineFactory factory) {
        engines.values().remove(factory);
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        if (!config.mmu().isEmpty()) {
            throw new MachineException("a bare machine has no MMU design, but \"" + config.mmu() + "\" was asked for: leave it empty, or use "
                    + "a machine of kind " + MachineFactory.VMX);
        }
        if (config.vcpus() != 1) {
            throw new MachineException("a bare machine has one processor, and " + config.vcpus() + " were asked for");
        }
        EngineFactory engine = engines.get(config.engine());
        if (engine == null) {
            throw new MachineException("there is no execution engine '" + config.engine() + "' in the container; there is "
                    + (engines.isEmpty() ? "none" : new TreeSet<>(engines.keySet())));
        }
        PhysicalMemory memory = new PhysicalMemory(config.memoryBytes());
        TranslationChecker checker = config.check() ? checker(config, memory) : null;
        RegisterFile registers = new RegisterFile();
        IoPorts ports = devices.create();
        return new BareMachine(
                processors.create(config.hardware(), memory, registers, ports, checker), ports, checker, guest, engine);
    }

    private TranslationChecker checker(MachineConfig config, PhysicalMemory memory) {
        TranslationCheckerFactory factory = checkers;
        if (factory == null) {
            throw new MachineException("a checked machine needs a translation checker, and no bundle provides one");
        }
        LongUnaryOperator same = address -> address < memory.bytes() ? address : -1;
        return factory.create(1, (int) config.hardware().figure("cpu.maxphyaddr"), memory, same, same);
    }
}
