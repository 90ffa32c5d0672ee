package org.penumbra.experiments.engine;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.guest.GuestState;

/** Makes the engine that executes steps one by one. */
@Component(property = EngineFactory.ENGINE_NAME + "=" + EngineFactory.STEPS)
public final class StepEngineFactory implements EngineFactory {
    @Override
    public ExecutionEngine create(GuestState guest) {
        return new StepEngine(guest);
    }
}
