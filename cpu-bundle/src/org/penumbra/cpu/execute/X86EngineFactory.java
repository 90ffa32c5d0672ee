package org.penumbra.cpu.execute;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;

/** Makes the engine that executes machine code in guest memory; the guest's steps, if it has any, do not matter to it. */
@Component(property = EngineFactory.ENGINE_NAME + "=" + EngineFactory.X86)
public final class X86EngineFactory implements EngineFactory {
    @Override
    public ExecutionEngine create(GuestState guest) {
        return new X86Engine();
    }
}
