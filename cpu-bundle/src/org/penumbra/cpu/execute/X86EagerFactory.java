package org.penumbra.cpu.execute;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;

/** Makes the engine of {@link X86EngineFactory} with a method for each run of code, hot or not: what tests that compilation changes nothing. */
@Component(property = EngineFactory.ENGINE_NAME + "=x86-eager")
public final class X86EagerFactory implements EngineFactory {
    private final EngineFactory engines = new X86EngineFactory(0, 4_096);

    @Override
    public ExecutionEngine create(GuestState guest) {
        return engines.create(guest);
    }
}
