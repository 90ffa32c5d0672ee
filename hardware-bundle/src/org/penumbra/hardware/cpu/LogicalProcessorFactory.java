package org.penumbra.hardware.cpu;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.ProcessorFactory;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.cpu.HostProcessor;

/** Makes {@link LogicalProcessor}s. */
@Component
public final class LogicalProcessorFactory implements ProcessorFactory {
    @Override
    public HostProcessor create(
            CostProfile profile, PhysicalMemory memory, RegisterFile registers, IoPorts ports, TranslationObserver observer) {
        return new LogicalProcessor(profile, memory, registers, ports, observer);
    }
}
