package org.penumbra.cpu.execute;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.api.guest.GuestState;

/**
 * Makes the engine that executes machine code in guest memory. Of the guest's program it wants to know only whether it is an
 * {@link AccessListener}.
 */
@Component(property = EngineFactory.ENGINE_NAME + "=" + EngineFactory.X86)
public final class X86EngineFactory implements EngineFactory {
    @Override
    public ExecutionEngine create(GuestState guest) {
        return new X86Engine(guest != null && guest.program instanceof AccessListener listener ? listener : null);
    }
}
