package org.penumbra.vmx;

import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.testkit.SpecificationCheckerFactory;
import org.penumbra.testkit.contract.Laboratory;
import org.penumbra.testkit.script.ScriptEngineFactory;
import org.penumbra.vmx.memory.HostMemory;

/** The contract test kit's machines without a container. */
final class RigLaboratory implements Laboratory {
    private final Rig rig = new Rig();

    RigLaboratory() {
        rig.engine(ScriptEngineFactory.NAME, new ScriptEngineFactory());
    }

    @Override
    public Installed install(String name, MmuFactory design) {
        Object id = rig.design(name, design);
        return () -> {
            rig.designs.remove(id);
            rig.registry.each(m -> m.swapper().gone(id));
        };
    }

    @Override
    public Machine create(MachineConfig config, GuestBoot guest) {
        HostMemory memory = new HostMemory(config.memoryBytes(), config.hostPageLevel(), config.check());
        int bits = (int) config.hardware().figure("cpu.maxphyaddr");
        TranslationChecker checker = config.check()
                ? new SpecificationCheckerFactory().create(config.vcpus(), bits, memory.physical(), memory::peek, memory::gpaOf) : null;
        VirtualMachine.Parts parts = new VirtualMachine.Parts(new LogicalProcessorFactory(), () -> rig.new Ports(), new Rig.NoInterrupts(),
                rig.dispatch, rig.designs, rig.engines, rig.registry);
        return new VirtualMachine(config, guest, parts, memory, checker);
    }
}
