package org.penumbra.cpu.execute;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;

/** Makes the engine of {@link X86EngineFactory} without methods for hot code: the same guest, slower. */
@Component(property = EngineFactory.ENGINE_NAME + "=x86-interpreter")
public final class X86InterpreterFactory implements EngineFactory {
    private final EngineFactory engines = new X86EngineFactory(0, 0);

    @Override
    public ExecutionEngine create(GuestState guest) {
        return engines.create(guest);
    }
}
